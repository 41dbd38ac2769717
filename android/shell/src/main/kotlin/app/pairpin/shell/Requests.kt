// One request of the inbox, opened: what it is, the person's decision, and what came of it.
package app.pairpin.shell

import app.pairpin.core.And
import app.pairpin.core.Decision
import app.pairpin.core.Done
import app.pairpin.core.Ending
import app.pairpin.core.InboxView
import app.pairpin.core.PairpinApp
import app.pairpin.core.PairpinException
import app.pairpin.core.ScreenState
import app.pairpin.core.StateListener
import app.pairpin.core.Terms
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.launch

/** What the screen of a request shows. */
sealed interface RequestScreen {
    /** It waits for the person; `hint` says what the last attempt came to. */
    data class Open(val request: InboxView, val hint: Hint? = null) : RequestScreen

    /** The person decides in the prompt, or the machine is told. */
    data class Working(val request: InboxView) : RequestScreen

    /** It ended, here or elsewhere. */
    data class Over(val how: Ending) : RequestScreen

    /** The joiner is let in once these digits are typed into it. */
    data class ShowDigits(val digits: String, val name: String) : RequestScreen
}

/** Why a request is still open after an attempt. */
sealed interface Hint {
    /** The prompt was dismissed. */
    data object Cancelled : Hint

    /** The phone has no screen lock, so nobody can approve with it. */
    data object NoScreenLock : Hint

    /** The approval key of this phone is gone: a fresh offer, another owner or the machine's shell brings another. */
    data object KeyGone : Hint

    /** Anything else, to be tried again. */
    data class Failed(val error: PairpinException) : Hint
}

/** A request that is looked at. Ends with `scope`. */
class RequestPresenter(
    private val app: PairpinApp,
    private val keys: ApprovalKeys,
    private val scope: CoroutineScope,
    opened: InboxView,
) {
    private val row = opened.row
    private val id = opened.id
    private val shown = MutableStateFlow<RequestScreen>(RequestScreen.Open(opened))
    private var running: Job? = null

    /** What to show now. */
    val screen: StateFlow<RequestScreen> = shown.asStateFlow()

    init {
        scope.launch {
            app.listen(
                object : StateListener {
                    override fun changed(state: ScreenState) = elsewhere(state)
                },
            )
        }
    }

    /** Yes to an ask. */
    fun yes() = decide(Prompt.SayYes) { app.prepareYes(row, id) }

    /** Lets a joiner in that was scanned. */
    fun letIn(scanned: String, terms: Terms) = decide(Prompt.LetIn) { app.prepareJoinScanned(scanned, terms) }

    /** Lets a joiner in by its number: one attempt. */
    fun letInByNumber(number: String, terms: Terms) =
        decide(Prompt.LetIn) { app.prepareJoinNumber(row, id, number, terms) }

    /** No; nobody has to be asked for that. */
    fun no(and: And? = null) = work { request ->
        app.deny(row, id, and)
        // How it ended is told by the machine, to this phone as to all.
        shown.compareAndSet(RequestScreen.Working(request), RequestScreen.Over(Ending.No(null)))
    }

    // It ended while it was open: answered on another device, withdrawn, or over.
    private fun elsewhere(state: ScreenState) {
        val ended = state.ended.lastOrNull { it.row == row && it.id == id } ?: return
        val present = shown.value
        if (present is RequestScreen.Open) shown.compareAndSet(present, RequestScreen.Over(ended.how))
    }

    private fun decide(prompt: Prompt, prepare: suspend () -> Decision) = work { request ->
        val label = app.approvalLabel(row)
        when (val brought = bring(label)) {
            null -> shown.value = sign(request, prepare(), prompt)
            else -> shown.value = RequestScreen.Open(request, brought)
        }
    }

    /** Sees to it that the machine has this phone's approval key; why not, where that cannot be. */
    private suspend fun bring(label: String): Hint? {
        val known = app.enrolledKey(row)
        val own =
            when (val found = keys.find(label)) {
                is Holding.NoScreenLock -> return Hint.NoScreenLock
                is Holding.Key -> found.publicKey
                is Holding.None -> null
            }
        if (known != null) return if (own != null && known.contentEquals(own)) null else Hint.KeyGone
        val key =
            own ?: when (val made = keys.create(label)) {
                is Holding.Key -> made.publicKey
                else -> return Hint.NoScreenLock
            }
        val enrol = app.prepareEnrol(row, key)
        return when (val signing = keys.sign(label, enrol.toSign(), Prompt.BringKey)) {
            is Signing.Signed -> null.also { enrol.submit(signing.signature) }
            is Signing.Cancelled -> Hint.Cancelled
            is Signing.KeyEnded -> Hint.KeyGone
        }
    }

    private suspend fun sign(request: InboxView, decision: Decision, prompt: Prompt): RequestScreen =
        when (val signing = keys.sign(decision.keyLabel(), decision.toSign(), prompt)) {
            is Signing.Signed ->
                when (val done = decision.submit(signing.signature)) {
                    is Done.Answered -> RequestScreen.Over(done.how)
                    is Done.LetIn -> RequestScreen.ShowDigits(done.digits, done.name)
                    else -> RequestScreen.Over(Ending.Unknown)
                }
            is Signing.Cancelled -> RequestScreen.Open(request, Hint.Cancelled)
            is Signing.KeyEnded -> RequestScreen.Open(request, Hint.KeyGone)
        }

    private fun work(step: suspend (InboxView) -> Unit) {
        val open = shown.value as? RequestScreen.Open ?: return
        shown.value = RequestScreen.Working(open.request)
        running = scope.launch {
            try {
                step(open.request)
            } catch (error: PairpinException) {
                shown.value = failed(open.request, error)
            }
        }
    }

    private fun failed(request: InboxView, error: PairpinException): RequestScreen =
        when (error) {
            // A wrong number is a no, spent before it was compared.
            is PairpinException.NotThatJoin -> RequestScreen.Over(Ending.No(null))
            is PairpinException.Gone -> over() ?: RequestScreen.Over(Ending.Unknown)
            is PairpinException.NoApprovalKey -> RequestScreen.Open(request, Hint.KeyGone)
            else -> RequestScreen.Open(request, Hint.Failed(error))
        }

    private fun over(): RequestScreen? =
        app.state().ended.lastOrNull { it.row == row && it.id == id }?.let { RequestScreen.Over(it.how) }
}
