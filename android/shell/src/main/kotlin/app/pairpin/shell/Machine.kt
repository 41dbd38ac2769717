// One machine: how it stands, what may be done with it, its name here, and forgetting it.
package app.pairpin.shell

import app.pairpin.core.Forgotten
import app.pairpin.core.MachineView
import app.pairpin.core.PairpinApp
import app.pairpin.core.PairpinException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update

/** What the person does with the machine. */
enum class MachineStep {
    /** Looks at it. */
    Looking,

    /** Types another name. */
    Renaming,

    /** Is asked whether to forget it. */
    AskedToForget,

    /** Waits for what was asked. */
    Working,
}

/** What the screen of a machine shows. */
sealed interface MachineScreen {
    /** It, with its actions and why one is not to be had; `problem` is what the last attempt came to. */
    data class Shown(
        val machine: MachineView,
        val step: MachineStep = MachineStep.Looking,
        val problem: PairpinException? = null,
    ) : MachineScreen

    /** Forgotten just now: whether the machine was told, and whether this phone was its last owner. */
    data class Over(val forgotten: Forgotten) : MachineScreen

    /** It is not in the list any more. */
    data object Gone : MachineScreen
}

/** Follows one machine, for as long as `scope` lives. */
class MachinePresenter(private val app: PairpinApp, private val scope: CoroutineScope, private val row: Long) {
    private val shown = MutableStateFlow(first())

    /** What to show now. */
    val screen: StateFlow<MachineScreen> = shown.asStateFlow()

    init {
        app.follow(scope) { state ->
            val machine = state.machines.find { it.row == row }
            shown.update { present ->
                when {
                    present !is MachineScreen.Shown -> present
                    machine != null -> present.copy(machine = machine)
                    // While it is forgotten here, what came of it is told by that.
                    present.step == MachineStep.Working -> present
                    else -> MachineScreen.Gone
                }
            }
        }
    }

    /** The person taps Rename. */
    fun rename() = to(MachineStep.Renaming)

    /** The new name was typed. */
    fun rename(name: String) =
        work(MachineStep.Renaming) {
            val renamed = app.rename(row, name)
            shown.value = MachineScreen.Shown(renamed)
        }

    /** The person taps Forget: is asked. */
    fun forget() = to(MachineStep.AskedToForget)

    /** The person is sure. Also while the machine is away: it is told as soon as it answers. */
    fun forgetForSure() {
        if ((shown.value as? MachineScreen.Shown)?.step != MachineStep.AskedToForget) return
        work(MachineStep.Looking) { shown.value = MachineScreen.Over(app.forget(row)) }
    }

    /** The person changed their mind, or has read what went wrong. */
    fun back() = to(MachineStep.Looking)

    private fun first(): MachineScreen =
        app.state().machines.find { it.row == row }?.let { MachineScreen.Shown(it) } ?: MachineScreen.Gone

    private fun to(step: MachineStep) = shown.update {
        if (it is MachineScreen.Shown && it.step != MachineStep.Working) it.copy(step = step, problem = null) else it
    }

    private fun work(backTo: MachineStep, step: suspend () -> Unit) {
        val before = shown.value as? MachineScreen.Shown ?: return
        if (before.step == MachineStep.Working) return
        shown.value = before.copy(step = MachineStep.Working, problem = null)
        scope.step({ error -> failed(backTo, error) }, step)
    }

    private fun failed(backTo: MachineStep, error: PairpinException) = shown.update {
        if (it is MachineScreen.Shown) it.copy(step = backTo, problem = error) else it
    }
}
