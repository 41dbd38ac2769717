// One request of the inbox, opened: what it is, the person's decision, and what came of it.
package app.pairpin.shell

import app.pairpin.core.And
import app.pairpin.core.Decision
import app.pairpin.core.Done
import app.pairpin.core.Ending
import app.pairpin.core.InboxItem
import app.pairpin.core.PairpinApp
import app.pairpin.core.PairpinException
import app.pairpin.core.ScreenState
import app.pairpin.core.Terms
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch

/** What the screen of a request shows. */
sealed interface RequestScreen {
    /** It was scanned or told by a notification, and the machine has not told of it yet. */
    data object Looking : RequestScreen

    /** It waits for the person. `scanned`: the joiner's QR was read, no number is asked; `hint`: what came last. */
    data class Open(val request: InboxItem, val scanned: Boolean = false, val hint: Hint? = null) : RequestScreen

    /** The person decides in the prompt, or the machine is told. */
    data class Working(val request: InboxItem, val scanned: Boolean = false) : RequestScreen

    /** It ended, here or elsewhere; `error` where it ended because of one. */
    data class Over(val how: Ending, val request: InboxItem? = null, val error: PairpinException? = null) :
        RequestScreen

    /** The joiner is let in once these digits are typed into it. */
    data class ShowDigits(val digits: String, val name: String) : RequestScreen
}

/** So long a request is looked for. */
private val LOOK_FOR = 15.seconds

/**
 * The request `id` of the machine of `row`, looked at; `scanned` is the joiner's QR. What no machine tells of within
 * `patience` is over. Ends with `scope`.
 */
class RequestPresenter(
    private val app: PairpinApp,
    private val approver: Approver,
    private val scope: CoroutineScope,
    private val row: Long,
    private val id: String,
    private val scanned: String? = null,
    patience: Duration = LOOK_FOR,
) {
    private val shown = MutableStateFlow<RequestScreen>(RequestScreen.Looking)

    /** What to show now. */
    val screen: StateFlow<RequestScreen> = shown.asStateFlow()

    init {
        changed(app.state())
        app.follow(scope, ::changed)
        scope.launch {
            delay(patience)
            // A notification of something long over, or a machine that does not answer.
            shown.update { if (it is RequestScreen.Looking) RequestScreen.Over(Ending.Unknown) else it }
        }
    }

    /** Yes to an ask. */
    fun yes() = decide(Prompt.SayYes) { seen -> app.prepareYes(row, id, seen.shown) }

    /** Lets the joiner in whose QR was scanned. */
    fun letIn(terms: Terms) {
        val text = scanned ?: return
        decide(Prompt.LetIn) { app.prepareJoinScanned(text, terms) }
    }

    /** Lets a joiner in by its number: one attempt. */
    fun letInByNumber(number: String, terms: Terms) =
        decide(Prompt.LetIn) {
            try {
                app.prepareJoinNumber(row, id, number.filterNot(Char::isWhitespace), terms)
            } catch (_: PairpinException.NotThatJoin) {
                // Before anything was sent, that means that it is no number at all.
                throw NoNumber()
            }
        }

    /** No; nobody has to be asked for that. */
    fun no(and: And? = null) = work { request ->
        app.deny(row, id, and)
        // How it ended is told by the machine, to this phone as to all.
        over(RequestScreen.Over(Ending.No(null), request))
    }

    // Told by the machines: it came, it changed, or it ended on another device, was withdrawn, or is over.
    private fun changed(state: ScreenState) {
        val ended = state.ended.lastOrNull { it.row == row && it.id == id }
        val item = state.inbox.find { it.row == row && it.id == id }
        shown.update { present ->
            when {
                ended != null && present is RequestScreen.Open -> RequestScreen.Over(ended.how, present.request)
                ended != null && present is RequestScreen.Looking -> RequestScreen.Over(ended.how)
                item != null && present is RequestScreen.Open -> present.copy(request = item)
                item != null && present is RequestScreen.Looking -> RequestScreen.Open(item, scanned != null)
                else -> present
            }
        }
    }

    private fun decide(prompt: Prompt, prepare: suspend (InboxItem) -> Decision) = work { request ->
        when (val approval = approver.approve(row, prompt) { prepare(request) }) {
            is Approval.Not -> shown.value = RequestScreen.Open(request, scanned != null, approval.hint)
            is Approval.Given ->
                when (val done = approval.done) {
                    is Done.Answered -> over(RequestScreen.Over(done.how, request))
                    is Done.LetIn -> shown.value = RequestScreen.ShowDigits(done.digits, done.name)
                    else -> over(RequestScreen.Over(Ending.Unknown, request))
                }
        }
        // It may have ended while the person decided.
        changed(app.state())
    }

    private fun work(step: suspend (InboxItem) -> Unit) {
        val open = shown.value as? RequestScreen.Open ?: return
        shown.value = RequestScreen.Working(open.request, open.scanned)
        scope.step({ error -> failed(open.request, error) }) {
            try {
                step(open.request)
            } catch (_: NoNumber) {
                shown.value = open.copy(hint = Hint.NoNumber)
            }
        }
    }

    private fun over(how: RequestScreen.Over) {
        shown.value = how
    }

    private fun failed(request: InboxItem, error: PairpinException) {
        shown.value =
            when (error) {
                // A wrong number is a no, spent before it was compared.
                is PairpinException.NotThatJoin -> RequestScreen.Over(Ending.No(null), request, error)
                is PairpinException.Gone -> RequestScreen.Over(ending() ?: Ending.Unknown, request)
                else -> RequestScreen.Open(request, scanned != null, Hint.Failed(error))
            }
        // It may have ended meanwhile.
        changed(app.state())
    }

    private fun ending(): Ending? = app.state().ended.lastOrNull { it.row == row && it.id == id }?.how

    private class NoNumber : Exception()
}
