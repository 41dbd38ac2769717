// What the person has chosen, in the app's own preferences: no secrets.
package app.pairpin.app.platform

import android.content.Context
import android.os.Build
import android.provider.Settings
import app.pairpin.shell.Preferences
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow

/** The preferences; `staying` is told whenever the person starts or ends staying connected. */
class PhonePreferences(private val context: Context, private val staying: (Boolean) -> Unit) : Preferences {
    private val kept = context.getSharedPreferences("preferences", Context.MODE_PRIVATE)
    private val name = MutableStateFlow(kept.getString(NAME, null) ?: ownName())
    private val stays = MutableStateFlow(kept.getBoolean(STAYS, false))

    override val deviceName: StateFlow<String> = name.asStateFlow()
    override val stayConnected: StateFlow<Boolean> = stays.asStateFlow()

    override fun setDeviceName(name: String) {
        this.name.value = name.ifBlank { ownName() }
        kept.edit().putString(NAME, name.ifBlank { null }).apply()
    }

    override fun setStayConnected(on: Boolean) {
        if (stays.value == on) return
        stays.value = on
        kept.edit().putBoolean(STAYS, on).apply()
        staying(on)
    }

    /** What the person has called the phone, or its maker. */
    private fun ownName(): String =
        Settings.Global.getString(context.contentResolver, Settings.Global.DEVICE_NAME)?.takeIf { it.isNotBlank() } ?: Build.MODEL

    private companion object {
        const val NAME = "name"
        const val STAYS = "stay_connected"
    }
}
