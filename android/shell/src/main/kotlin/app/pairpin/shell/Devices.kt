// The devices of a machine, as an owner's phone sees them, and what it decides about them.
package app.pairpin.shell

import app.pairpin.core.Decision
import app.pairpin.core.DeviceView
import app.pairpin.core.PairpinApp
import app.pairpin.core.PairpinException
import app.pairpin.core.RoleName
import app.pairpin.core.ScreenState
import app.pairpin.core.againHelps
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update

/** What the screen of devices shows. */
sealed interface DevicesScreen {
    /** The machine is asked. */
    data object Loading : DevicesScreen

    /** The devices, each with what may be done and why not; `working` on that one, `hint` from the last attempt. */
    data class Listed(val devices: List<DeviceView>, val working: String? = null, val hint: Hint? = null) :
        DevicesScreen

    /** The machine could not be asked. */
    data class Failed(val error: PairpinException, val again: Boolean) : DevicesScreen
}

/** The devices of the machine of `row`, for as long as `scope` lives. */
class DevicesPresenter(
    private val app: PairpinApp,
    private val approver: Approver,
    private val scope: CoroutineScope,
    private val row: Long,
) {
    private val shown = MutableStateFlow<DevicesScreen>(DevicesScreen.Loading)
    private var told: Any? = null
    private var loading: Job? = null

    /** What to show now. */
    val screen: StateFlow<DevicesScreen> = shown.asStateFlow()

    init {
        app.follow(scope, ::changed)
    }

    /** Asks the machine again. */
    fun refresh() {
        // One at a time: a machine that tells much is asked again, not more often at once.
        loading?.cancel()
        loading = scope.step(::notLoaded) { load() }
    }

    /** Takes a device's access away; it is told the reason. */
    fun revoke(device: String, reason: String?) =
        decide(device, Prompt.Revoke) { app.prepareRevoke(row, device, reason?.trim()?.ifEmpty { null }) }

    /** Gives a device another role. */
    fun setRole(device: String, role: RoleName) = decide(device, Prompt.Change) { app.prepareRole(row, device, role) }

    /** Lets a suspended device connect again. */
    fun lift(device: String) = decide(device, Prompt.Change) { app.prepareLift(row, device) }

    /** Lets a device that lost its approval key bring another. */
    fun forgetKey(device: String) = decide(device, Prompt.Change) { app.prepareForgetKey(row, device) }

    /** The hint was read. */
    fun understood() = shown.update { if (it is DevicesScreen.Listed) it.copy(hint = null) else it }

    // The machine says that devices came, went or changed, or is connected again.
    private fun changed(state: ScreenState) {
        val machine = state.machines.find { it.row == row }
        val now = listOf(machine?.condition, machine?.role, state.news.lastOrNull { it.row == row }?.number)
        if (now == told) return
        told = now
        refresh()
    }

    // What is being decided stays on the screen, with what comes of it.
    private fun notLoaded(error: PairpinException) = shown.update {
        if (it is DevicesScreen.Listed && it.working != null) it else DevicesScreen.Failed(error, againHelps(error))
    }

    private suspend fun load() {
        val devices = app.devices(row)
        shown.update { (it as? DevicesScreen.Listed)?.copy(devices = devices) ?: DevicesScreen.Listed(devices) }
    }

    private fun decide(device: String, prompt: Prompt, prepare: suspend () -> Decision) {
        val before = shown.value as? DevicesScreen.Listed ?: return
        if (before.working != null) return
        shown.value = before.copy(working = device, hint = null)
        scope.step({ error -> over(Hint.Failed(error)) }) {
            when (val approval = approver.approve(row, prompt, prepare)) {
                is Approval.Given -> {
                    // Done, whether or not the list can be read again.
                    over(null)
                    refresh()
                }
                is Approval.Not -> over(approval.hint)
            }
        }
    }

    private fun over(hint: Hint?) = shown.update {
        if (it is DevicesScreen.Listed) it.copy(working = null, hint = hint) else it
    }
}
