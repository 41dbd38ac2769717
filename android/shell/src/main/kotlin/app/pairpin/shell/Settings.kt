// The settings: this phone's name, what guards its approvals, whether it stays connected, and what a report may hold.
package app.pairpin.shell

import app.pairpin.core.PairpinApp
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch

/** What the person has chosen on this phone. Kept by the app, out of backups. */
interface Preferences {
    /** The name that this phone gives itself where it pairs. */
    val deviceName: StateFlow<String>

    /** Whether the connections are kept while nobody looks. Off until the person says so. */
    val stayConnected: StateFlow<Boolean>

    /** A blank one is the phone's own, which [deviceName] then has. */
    fun setDeviceName(name: String)

    fun setStayConnected(on: Boolean)
}

/** What the screen of the settings shows. */
data class SettingsScreen(
    val deviceName: String,
    val stayConnected: Boolean,
    /** Whether the phone has a screen lock: without, nobody can approve with it. */
    val screenLock: Boolean,
    /** What may be shown to somebody who helps: no secrets. */
    val diagnostics: String? = null,
)

/** The settings, for as long as `scope` lives. */
class SettingsPresenter(
    private val app: PairpinApp,
    private val keys: ApprovalKeys,
    private val preferences: Preferences,
    scope: CoroutineScope,
) {
    private val shown =
        MutableStateFlow(
            SettingsScreen(preferences.deviceName.value, preferences.stayConnected.value, keys.hasScreenLock()),
        )

    /** What to show now. */
    val screen: StateFlow<SettingsScreen> = shown.asStateFlow()

    init {
        scope.launch { preferences.deviceName.collect { name -> shown.update { it.copy(deviceName = name) } } }
        scope.launch { preferences.stayConnected.collect { on -> shown.update { it.copy(stayConnected = on) } } }
    }

    /** The screen is there again: the person may have been in the phone's settings. */
    fun enter() = shown.update { it.copy(screenLock = keys.hasScreenLock()) }

    /** The next pairing gives this name; a blank one is the phone's own again. */
    fun rename(name: String) {
        preferences.setDeviceName(name.trim())
        app.setDeviceName(preferences.deviceName.value)
    }

    /** Keeps the connections, or lets them end with the screen. */
    fun stayConnected(on: Boolean) = preferences.setStayConnected(on)

    /** Shows the diagnostics, or puts them away. */
    fun diagnostics(show: Boolean) = shown.update { it.copy(diagnostics = if (show) app.diagnostics() else null) }
}
