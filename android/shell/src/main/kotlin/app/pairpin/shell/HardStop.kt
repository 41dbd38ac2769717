// Hard stop: a machine that proves another key, or its key without what it gave this phone. Nothing here goes on by
// itself, and no button believes the new key: its offer has to be scanned from its own screen.
package app.pairpin.shell

import app.pairpin.core.MachineCondition
import app.pairpin.core.MachineView
import app.pairpin.core.PairpinApp
import app.pairpin.core.ScreenState
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow

/** What the hard stop shows. */
sealed interface HardStopScreen {
    /** It proves `seen` where it was known by `machine.fingerprint`. Its actions are those of the screen. */
    data class Changed(val machine: MachineView, val seen: String) : HardStopScreen

    /** It has its key, and not what it gave this phone: a copy, or put back from a backup. */
    data class Copied(val machine: MachineView) : HardStopScreen

    /** It is over: scanned again, forgotten, or the right one answers. */
    data object Over : HardStopScreen
}

/** Follows the machine of `row`, for as long as `scope` lives. */
class HardStopPresenter(app: PairpinApp, scope: CoroutineScope, private val row: Long) {
    private val shown = MutableStateFlow(screenOf(app.state()))

    /** What to show now. */
    val screen: StateFlow<HardStopScreen> = shown.asStateFlow()

    init {
        app.follow(scope) { shown.value = screenOf(it) }
    }

    private fun screenOf(state: ScreenState): HardStopScreen {
        val machine = state.machines.find { it.row == row } ?: return HardStopScreen.Over
        return when (val condition = machine.condition) {
            is MachineCondition.KeyChanged -> HardStopScreen.Changed(machine, condition.seen)
            is MachineCondition.KeyCopied -> HardStopScreen.Copied(machine)
            else -> HardStopScreen.Over
        }
    }
}
