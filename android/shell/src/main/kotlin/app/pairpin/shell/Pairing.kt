// From a link or a code to a paired machine: looked at, confirmed by the person, paired.
package app.pairpin.shell

import app.pairpin.core.Paired
import app.pairpin.core.PairPreview
import app.pairpin.core.PairQuestion
import app.pairpin.core.Pairing
import app.pairpin.core.PairpinApp
import app.pairpin.core.PairpinException
import app.pairpin.core.againHelps
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow

/** Where a pairing is. */
sealed interface PairingScreen {
    /** Nothing was brought yet. */
    data object Looking : PairingScreen

    /** The machine is asked what its offer is for. */
    data object Asking : PairingScreen

    /** The person is asked; nothing was used up yet. */
    data class Confirming(val preview: PairPreview) : PairingScreen

    /** The person said yes. */
    data class Working(val preview: PairPreview) : PairingScreen

    /** Paired; the digits stand on the machine too. */
    data class Done(val paired: Paired) : PairingScreen

    /** It did not work; `again` says whether the same step may be tried again. */
    data class Failed(val error: PairpinException, val again: Boolean) : PairingScreen
}

/** One pairing, whether scanned, pasted, typed, or brought by a deep link: it always asks. */
class PairingPresenter(private val app: PairpinApp, private val scope: CoroutineScope) {
    private val shown = MutableStateFlow<PairingScreen>(PairingScreen.Looking)
    private val lock = Any()
    private var begin: (suspend () -> Pairing)? = null
    private var offered: Pairing? = null
    private var running: Job? = null

    // Counts what was looked at: what comes of an earlier one is not shown any more.
    private var turn = 0

    /** What to show now. */
    val screen: StateFlow<PairingScreen> = shown.asStateFlow()

    /** A link was found. A second one while the first is looked at is ignored, as cameras give many. */
    fun found(link: String) = look { app.preview(link) }

    /** An address and a code were typed. The code is proven here; the person is asked all the same. */
    fun typed(address: String, code: String) = look { app.beginCode(address, code) }

    /** The person taps Pair. */
    fun confirm() = synchronized(lock) {
        if (shown.value is PairingScreen.Confirming) offered?.let(::pair)
    }

    /** The person taps Try again: the step that failed is done again, where it left off. */
    fun again() = synchronized(lock) {
        if ((shown.value as? PairingScreen.Failed)?.again != true) return@synchronized
        offered?.let(::pair) ?: begin?.let(::ask)
    }

    /** The person says no, or leaves: whatever runs ends, and the next link is looked for. */
    fun leave() = synchronized(lock) {
        turn++
        running?.cancel()
        running = null
        begin = null
        offered?.cancel()
        offered?.close()
        offered = null
        shown.value = PairingScreen.Looking
    }

    private fun look(how: suspend () -> Pairing) = synchronized(lock) {
        if (shown.value != PairingScreen.Looking) return@synchronized
        begin = how
        ask(how)
    }

    private fun ask(how: suspend () -> Pairing) = run(PairingScreen.Asking) {
        val pairing = how()
        val preview = pairing.preview()
        synchronized(lock) { offered = pairing }
        if (preview.question == PairQuestion.AlreadyPaired) PairingScreen.Done(pairing.pair())
        else PairingScreen.Confirming(preview)
    }

    private fun pair(pairing: Pairing) =
        run(PairingScreen.Working(pairing.preview())) { PairingScreen.Done(pairing.pair()) }

    private fun run(meanwhile: PairingScreen, step: suspend () -> PairingScreen) {
        val mine = turn
        shown.value = meanwhile
        running = scope.step({ show(mine, PairingScreen.Failed(it, againHelps(it))) }) { show(mine, step()) }
    }

    private fun show(mine: Int, screen: PairingScreen) = synchronized(lock) {
        if (mine == turn) shown.value = screen
    }
}
