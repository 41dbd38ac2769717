// Permissions: asked over the activity that is on the screen, and remembered whether they were asked at all.
package app.pairpin.app.platform

import android.app.Activity
import android.content.Context
import androidx.activity.ComponentActivity
import androidx.activity.result.ActivityResultLauncher
import androidx.activity.result.contract.ActivityResultContracts.RequestPermission
import java.util.concurrent.atomic.AtomicInteger

/** Asks the person for permissions. */
class Asking(context: Context, private val activity: () -> Activity?) {
    private val kept = context.getSharedPreferences("asked", Context.MODE_PRIVATE)
    private val count = AtomicInteger()

    /** Whether the person was ever asked. */
    fun wasAsked(permission: String): Boolean = kept.getBoolean(permission, false)

    /** Whether the phone would show the question again. */
    fun mayAskAgain(permission: String): Boolean = activity()?.shouldShowRequestPermissionRationale(permission) ?: true

    /** Asks, and calls `then` whatever the answer is. Without an activity nothing happens. */
    fun ask(permission: String, then: () -> Unit) {
        val on = activity() as? ComponentActivity ?: return
        kept.edit().putBoolean(permission, true).apply()
        val key = "asking-${count.incrementAndGet()}"
        val registry = on.activityResultRegistry
        var launcher: ActivityResultLauncher<String>? = null
        launcher =
            registry.register(key, RequestPermission()) {
                launcher?.unregister()
                then()
            }
        launcher.launch(permission)
    }
}
