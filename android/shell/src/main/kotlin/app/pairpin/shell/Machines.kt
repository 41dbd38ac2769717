// The first screen: every machine, or, while there is none, how to get one.
package app.pairpin.shell

import app.pairpin.core.MachineView
import app.pairpin.core.PairpinApp
import app.pairpin.core.ScreenState
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow

/** What the screen of machines shows. */
sealed interface MachinesScreen {
    /** Nothing is paired: the screen teaches `pairpin serve`. */
    data object Empty : MachinesScreen

    /** The machines, in the order of the app's state, and how much waits in the inbox. */
    data class Listed(val machines: List<MachineView>, val waiting: Int = 0) : MachinesScreen
}

/** Follows the app's state for as long as `scope` lives. */
class MachinesPresenter(app: PairpinApp, scope: CoroutineScope) {
    private val shown = MutableStateFlow(screenOf(app.state()))

    /** What to show now. */
    val screen: StateFlow<MachinesScreen> = shown.asStateFlow()

    init {
        app.follow(scope) { shown.value = screenOf(it) }
    }
}

private fun screenOf(state: ScreenState): MachinesScreen =
    if (state.machines.isEmpty()) MachinesScreen.Empty else MachinesScreen.Listed(state.machines, state.inbox.size)
