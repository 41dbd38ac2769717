// What the screens take from around them: the clipboard, the phone's settings, the camera's picture, a text file.
package app.pairpin.app

import android.content.ClipData
import android.content.ClipboardManager
import android.content.Context
import android.content.Intent
import android.net.Uri
import android.provider.Settings
import android.view.SurfaceHolder
import android.view.SurfaceView
import androidx.compose.runtime.Composable
import androidx.compose.runtime.remember
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.viewinterop.AndroidView

/** The text that was copied last; null where there is none. */
internal fun copied(context: Context): String? {
    val clip = context.getSystemService(ClipboardManager::class.java)?.primaryClip ?: return null
    return clip.takeIf { it.itemCount > 0 }?.getItemAt(0)?.text?.toString()?.ifBlank { null }
}

/** Copies a text that holds no secrets. */
internal fun copy(context: Context, text: String) {
    val label = context.getString(R.string.app_name)
    context.getSystemService(ClipboardManager::class.java)?.setPrimaryClip(ClipData.newPlainText(label, text))
}

/** Where the person allows the camera. */
internal fun openAppSettings(context: Context) {
    val app = Uri.fromParts("package", context.packageName, null)
    context.startActivity(Intent(Settings.ACTION_APPLICATION_DETAILS_SETTINGS, app))
}

/** Where the person sets a screen lock. */
internal fun openLockSettings(context: Context) = context.startActivity(Intent(Settings.ACTION_SECURITY_SETTINGS))

/** What the camera sees. The camera is begun anew as soon as there is a surface to show it on. */
@Composable
internal fun CameraView(place: ScanPlace, modifier: Modifier) {
    AndroidView(
        factory = { context ->
            SurfaceView(context).apply {
                holder.addCallback(
                    object : SurfaceHolder.Callback {
                        override fun surfaceCreated(holder: SurfaceHolder) {
                            place.camera.showOn(holder.surface)
                            place.presenter.leave()
                            place.presenter.enter()
                        }

                        override fun surfaceChanged(holder: SurfaceHolder, format: Int, width: Int, height: Int) = Unit

                        override fun surfaceDestroyed(holder: SurfaceHolder) = place.camera.showOn(null)
                    },
                )
            }
        },
        modifier = modifier,
    )
}

/** Name and terms of everything that the app stands on, a line each. */
@Composable
internal fun licences(): String {
    val resources = LocalContext.current.resources
    return remember(resources) { resources.openRawResource(R.raw.licences).bufferedReader().use { it.readText() } }
}
