// From a link to a paired machine: looked at, confirmed by the person, paired.
package app.pairpin.shell

import app.pairpin.core.Paired
import app.pairpin.core.Pairing
import app.pairpin.core.PairpinApp
import app.pairpin.core.PairpinException
import app.pairpin.core.PairQuestion
import app.pairpin.core.RoleName
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.launch

/** What the person is asked before anything is agreed. */
data class Confirmation(
    val name: String,
    val platform: String,
    val fingerprint: String,
    val address: String,
    val role: RoleName,
    val question: PairQuestion,
)

/** Where a pairing is. */
sealed interface PairingScreen {
    /** The camera looks for a QR, or the person pastes a link. */
    data object Looking : PairingScreen

    /** The machine of the link is asked what its offer is for. */
    data object Asking : PairingScreen

    /** The person is asked; nothing was used up yet. */
    data class Confirming(val confirmation: Confirmation) : PairingScreen

    /** The person said yes. */
    data class Working(val confirmation: Confirmation) : PairingScreen

    /** Paired; the digits stand on the machine too. */
    data class Done(val paired: Paired) : PairingScreen

    /** It did not work; `again` says whether the same yes may be tried again. */
    data class Failed(val error: PairpinException, val again: Boolean) : PairingScreen
}

/** One pairing by a link, whether scanned, pasted, or brought by a deep link: it always asks. */
class PairingPresenter(private val app: PairpinApp, private val scope: CoroutineScope) {
    private val shown = MutableStateFlow<PairingScreen>(PairingScreen.Looking)
    private var offered: Pairing? = null
    private var running: Job? = null

    /** What to show now. */
    val screen: StateFlow<PairingScreen> = shown.asStateFlow()

    /** A link was found. A second one while the first is looked at is ignored, as cameras give many. */
    fun found(link: String) {
        if (shown.value != PairingScreen.Looking) return
        shown.value = PairingScreen.Asking
        running = scope.launch {
            step(again = false) {
                val pairing = app.preview(link)
                offered = pairing
                if (pairing.question() == PairQuestion.AlreadyPaired) {
                    PairingScreen.Done(pairing.pair())
                } else {
                    PairingScreen.Confirming(confirmation(pairing))
                }
            }
        }
    }

    /** The person taps Pair. */
    fun confirm() {
        val pairing = offered ?: return
        if (shown.value !is PairingScreen.Confirming && shown.value !is PairingScreen.Failed) return
        shown.value = PairingScreen.Working(confirmation(pairing))
        running = scope.launch { step(again = true) { PairingScreen.Done(pairing.pair()) } }
    }

    /** The person says no, or leaves: whatever runs ends, and the next link is looked for. */
    fun leave() {
        running?.cancel()
        running = null
        offered?.close()
        offered = null
        shown.value = PairingScreen.Looking
    }

    private suspend fun step(again: Boolean, work: suspend () -> PairingScreen) {
        shown.value =
            try {
                work()
            } catch (error: PairpinException) {
                PairingScreen.Failed(error, again && worthAgain(error))
            }
    }

    private fun confirmation(pairing: Pairing) =
        Confirmation(
            pairing.name(),
            pairing.platform(),
            pairing.fingerprint(),
            pairing.address(),
            pairing.role(),
            pairing.question(),
        )
}

/** Whether the connection was what failed: the engine takes the same pairing up where it was. */
private fun worthAgain(error: PairpinException) =
    error is PairpinException.NotReachable || error is PairpinException.Interrupted
