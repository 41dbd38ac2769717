// What the activity and its screens are given by the platform. `PairpinApplication` has the phone's own; a test puts
// another in its place before the activity starts.
package app.pairpin.app.platform

import android.app.Activity
import android.view.Surface
import app.pairpin.core.PairpinApp
import app.pairpin.core.Scanned
import app.pairpin.shell.ApprovalKeys
import kotlinx.coroutines.flow.StateFlow

/** Everything of the platform that a screen needs. */
interface Dependencies {
    /** The keys of approval; their prompt is shown over the activity that is attached. */
    val approvalKeys: ApprovalKeys

    /** What the person has chosen in the settings. */
    val settings: Settings

    /**
     * The core, opened once: later callers get the same. Throws what `PairpinApp.open` throws; a later call then
     * tries again.
     */
    suspend fun core(): PairpinApp

    /** Moves a damaged state aside, and opens the core on a new one. Only after the person has said so. */
    suspend fun startAnew(): PairpinApp

    /** Frames of the back camera, one scanner for each screen that scans. */
    fun scanner(): Scanner

    /** What holds this phone's keys, as far as the phone tells. */
    fun keyProtection(): KeyProtection

    /** The activity is seen (`onStart`): prompts are shown over it, and connections are held. */
    fun attach(activity: Activity)

    /** The activity is gone from the screen (`onStop`): connections end, unless the person stays connected. */
    fun detach(activity: Activity)
}

/** What the person has chosen, kept over restarts. */
interface Settings {
    /** Whether connections are held while the app is not seen; false until the person says otherwise. */
    val stayConnected: StateFlow<Boolean>

    /** The name this phone gives itself when it pairs. */
    val deviceName: StateFlow<String>

    /** Starts or ends staying connected. */
    fun setStayConnected(on: Boolean)

    /** Gives this phone another name, for pairings to come; a blank one is the phone's own. */
    fun setDeviceName(name: String)
}

/** Looks for a QR in frames of the camera. */
interface Scanner {
    /** What the camera does now. */
    val state: StateFlow<ScannerState>

    /**
     * Starts to look, and draws what the camera sees on `preview`. Whatever is read is given to `found`, on the main
     * thread, until [stop]. Without the person's permission nothing starts, and the state says so: ask, then start
     * again.
     */
    fun start(preview: Surface?, found: (Scanned) -> Unit)

    /** Turns the lamp on or off, where there is one. */
    fun torch(on: Boolean)

    /** Ends it; the camera is free for others. To be called when the screen is left or covered. */
    fun stop()
}

/** What the camera does. */
sealed interface ScannerState {
    /** Not started, or ended. */
    data object Off : ScannerState

    /** The person has not allowed the camera. */
    data object NotAllowed : ScannerState

    /** The phone has no camera, or another app holds it. */
    data class NoCamera(val held: Boolean) : ScannerState

    /** It opens. */
    data object Starting : ScannerState

    /** Frames come, of this size as the sensor gives them; `turned` is by how many degrees clockwise it sits. */
    data class Looking(val width: Int, val height: Int, val turned: Int, val torch: Boolean, val hasTorch: Boolean) : ScannerState
}

/** What holds the keys, told as it is. */
enum class KeyProtection {
    /** A separate secure element. */
    StrongBox,

    /** The processor's trusted environment. */
    TrustedEnvironment,

    /** The system's software alone. */
    Software,

    /** There is no key yet, or the phone does not tell. */
    Unknown,
}
