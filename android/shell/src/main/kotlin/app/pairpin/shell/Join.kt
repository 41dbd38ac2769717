// This phone asks a machine to be let in, by the machine's address: it shows its QR and its number to an owner's phone,
// and types the digits that the owner then sees.
package app.pairpin.shell

import app.pairpin.core.JoinAsked
import app.pairpin.core.JoinGrant
import app.pairpin.core.Joining
import app.pairpin.core.Paired
import app.pairpin.core.PairpinApp
import app.pairpin.core.PairpinException
import app.pairpin.core.QrModules
import app.pairpin.core.qrModules
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch

/** What the screen of a phone that asks to be let in shows. */
sealed interface JoinScreen {
    /** The person types the machine's address; `problem` is what the last attempt came to. */
    data class Typing(val problem: PairpinException? = null) : JoinScreen

    /** The machine is asked, or the digits are proven. */
    data object Working : JoinScreen

    /** An owner decides: it scans the QR, or types the number. */
    data class Waiting(val asked: JoinAsked, val qr: QrModules?, val secondsLeft: Long) : JoinScreen

    /** Let in, once the owner's digits are typed here. */
    data class Digits(val grant: JoinGrant, val secondsLeft: Long) : JoinScreen

    /** Paired. */
    data class Done(val paired: Paired) : JoinScreen
}

/** One request of this phone's own, for as long as `scope` lives. */
class JoinPresenter(
    private val app: PairpinApp,
    private val scope: CoroutineScope,
    private val elapsed: Elapsed = monotonic,
) {
    private val shown = MutableStateFlow<JoinScreen>(JoinScreen.Typing())
    private val lock = Any()
    private var joining: Joining? = null
    private var running: Job? = null
    private var clock: Job? = null

    // Counts what was asked: what comes of an earlier one is not shown any more.
    private var turn = 0

    /** What to show now. */
    val screen: StateFlow<JoinScreen> = shown.asStateFlow()

    /** The address was typed. */
    fun ask(address: String) = synchronized(lock) {
        if (shown.value is JoinScreen.Typing) run { mine -> wait(mine, address.trim()) }
    }

    /** The digits that the owner's phone shows were typed. One attempt. */
    fun type(digits: String) = synchronized(lock) {
        val joining = joining
        if (joining == null || shown.value !is JoinScreen.Digits) return@synchronized
        clock?.cancel()
        run { mine -> show(mine, JoinScreen.Done(joining.typed(digits.trim()))) }
    }

    /** The person leaves: the machine is told that nobody asks any more. */
    fun leave() = over(null)

    private suspend fun wait(mine: Int, address: String) {
        val asking = app.askToJoin(address)
        synchronized(lock) { if (mine == turn) joining = asking else asking.cancel() }
        val asked = asking.asked()
        val (qr, left) = qrModules(asked.text) to asked.seconds.toLong()
        show(mine, JoinScreen.Waiting(asked, qr, left)) { count(left) }
        val grant = asking.wait()
        show(mine, JoinScreen.Digits(grant, grant.seconds.toLong())) { count(grant.seconds.toLong()) }
    }

    private fun run(step: suspend (Int) -> Unit) {
        val mine = turn
        shown.value = JoinScreen.Working
        running = scope.step({ error -> synchronized(lock) { if (mine == turn) over(error) } }) { step(mine) }
    }

    private fun show(mine: Int, screen: JoinScreen, then: () -> Unit = {}) = synchronized(lock) {
        if (mine != turn) return@synchronized
        shown.value = screen
        then()
    }

    private fun over(problem: PairpinException?) = synchronized(lock) {
        turn++
        running?.cancel()
        clock?.cancel()
        joining?.cancel()
        joining = null
        shown.value = JoinScreen.Typing(problem)
    }

    private fun count(seconds: Long) {
        val end = elapsed() + seconds * 1000
        clock?.cancel()
        clock = scope.launch {
            countDown(end, elapsed) { left ->
                shown.update {
                    when (it) {
                        is JoinScreen.Waiting -> it.copy(secondsLeft = left)
                        is JoinScreen.Digits -> it.copy(secondsLeft = left)
                        else -> it
                    }
                }
            }
        }
    }
}
