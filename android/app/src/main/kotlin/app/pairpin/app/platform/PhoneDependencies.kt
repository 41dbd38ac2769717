// The phone's own: the core over Keystore, camera, network and notifications, wired once for the process.
package app.pairpin.app.platform

import android.app.Activity
import android.app.Application
import android.os.Build
import android.os.Build.VERSION.SDK_INT
import android.os.Bundle
import android.util.Log as SystemLog
import app.pairpin.core.AppSettings
import app.pairpin.core.Log
import app.pairpin.core.LogLevel
import app.pairpin.core.PairpinApp
import app.pairpin.core.startAnew
import app.pairpin.shell.ApprovalKeys
import app.pairpin.shell.NoticesPresenter
import app.pairpin.shell.Preferences
import app.pairpin.shell.Presence
import java.io.File
import java.lang.ref.WeakReference
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import kotlinx.coroutines.withContext

/** What [PairpinApplication] gives the activity and the service on a phone. */
class PhoneDependencies(private val application: Application) : Dependencies {
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Main.immediate)
    private var seen = WeakReference<Activity>(null)
    private val asking = Asking(application) { seen.get() }
    private val permission = CameraPermission(application, asking)
    private val signer = KeystoreSigner(application)
    private val opening = Mutex()
    private var opened: Wired? = null

    // Neither is in a backup, nor goes to another phone.
    private val state = File(application.noBackupFilesDir, "state")
    private val secrets = File(application.noBackupFilesDir, "secrets")

    override val approvalKeys: ApprovalKeys = KeystoreApprovalKeys(application) { seen.get() }
    override val preferences: Preferences = PhonePreferences(application, ::staying)
    override val camera = PhoneCamera(application, permission)

    init {
        application.registerActivityLifecycleCallbacks(Covering())
    }

    override suspend fun core(): PairpinApp = opening.withLock { (opened ?: open().also { opened = it }).app }

    private suspend fun open(): Wired {
        val settings = AppSettings(state.path, preferences.deviceName.value, "Android ${Build.VERSION.RELEASE}")
        val store = KeystoreStore(application, secrets, KeystoreStoreKey(), signer::holder)
        return Wired(PairpinApp.open(settings, store, signer, SystemLines))
    }

    override suspend fun moveAside() = withContext(Dispatchers.IO) { startAnew(state.path) }

    override fun keyProtection(): KeyProtection = signer.protection

    override fun attach(activity: Activity) {
        seen = WeakReference(activity)
        permission.look()
        opened?.presence?.shown()
        // After a restart of the phone it is the person's first look that starts it again.
        if (preferences.stayConnected.value) StayConnectedService.start(application)
    }

    override fun detach(activity: Activity) {
        if (seen.get() === activity) seen.clear()
        opened?.presence?.hidden()
    }

    private fun staying(on: Boolean) {
        if (!on) return StayConnectedService.stop(application)
        StayConnectedService.start(application)
        if (SDK_INT >= 33) asking.ask(Since33.NOTIFY) {}
    }

    /** The open core, and what is wired to it. */
    private inner class Wired(val app: PairpinApp) {
        // Whoever opened it may have left again meanwhile.
        val presence = Presence(app, preferences, scope, seen.get() != null)
        val notices = NoticesPresenter(app, PhoneNotices(application), scope)
        val network = NetworkWatcher(application, presence::networkChanged)
    }

    /** Sees when the activity is covered: the camera is closed then, whatever a screen does. */
    private inner class Covering : Application.ActivityLifecycleCallbacks {
        override fun onActivityResumed(activity: Activity) {
            permission.look()
            camera.cover(false)
        }

        override fun onActivityPaused(activity: Activity) = camera.cover(true)

        override fun onActivityCreated(activity: Activity, saved: Bundle?) = Unit

        override fun onActivityStarted(activity: Activity) = Unit

        override fun onActivityStopped(activity: Activity) = Unit

        override fun onActivitySaveInstanceState(activity: Activity, saved: Bundle) = Unit

        override fun onActivityDestroyed(activity: Activity) = Unit
    }

    /** The engine's lines, which hold no secrets, in the phone's own log. */
    private object SystemLines : Log {
        override fun line(level: LogLevel, text: String) {
            val priority =
                when (level) {
                    LogLevel.ERROR -> SystemLog.ERROR
                    LogLevel.WARN -> SystemLog.WARN
                    LogLevel.INFO -> SystemLog.INFO
                    LogLevel.DEBUG -> SystemLog.DEBUG
                }
            SystemLog.println(priority, "pairpin", text)
        }
    }
}
