// Opening the app's state, and what to do where it cannot be opened.
package app.pairpin.shell

import app.pairpin.core.PairpinApp
import app.pairpin.core.PairpinException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow

/** What the start shows. */
sealed interface StartScreen {
    /** It is opened. */
    data object Opening : StartScreen

    /** It is open: the machines are shown. */
    data class Ready(val app: PairpinApp) : StartScreen

    /** It cannot be opened; `anew` says whether starting anew is a way on. */
    data class Failed(val error: PairpinException, val anew: Boolean) : StartScreen
}

/** Opens the app by `open`; `moveAside` puts a damaged state aside. */
class StartPresenter(
    private val scope: CoroutineScope,
    private val open: suspend () -> PairpinApp,
    private val moveAside: suspend () -> Unit,
) {
    private val shown = MutableStateFlow<StartScreen>(StartScreen.Opening)

    /** What to show now. */
    val screen: StateFlow<StartScreen> = shown.asStateFlow()

    init {
        opening {}
    }

    /** Tries again, as after a key store was locked. */
    fun again() {
        if (shown.value is StartScreen.Failed) opening {}
    }

    /** The person lets the damaged state be put aside: every machine is paired again. */
    fun startAnew() {
        if ((shown.value as? StartScreen.Failed)?.anew == true) opening(moveAside)
    }

    private fun opening(before: suspend () -> Unit) {
        shown.value = StartScreen.Opening
        scope.step({ error -> shown.value = StartScreen.Failed(error, isDamaged(error)) }) {
            before()
            shown.value = StartScreen.Ready(open())
        }
    }

    private fun isDamaged(error: PairpinException) = error is PairpinException.StateDamaged
}
