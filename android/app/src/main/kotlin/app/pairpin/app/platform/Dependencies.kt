// What the activity and its screens are given by the platform. `PairpinApplication` has the phone's own; a test puts
// another in its place before the activity starts.
package app.pairpin.app.platform

import android.app.Activity
import android.view.Surface
import app.pairpin.core.PairpinApp
import app.pairpin.shell.ApprovalKeys
import app.pairpin.shell.Camera
import app.pairpin.shell.Preferences

/** Everything of the platform that a screen needs. */
interface Dependencies {
    /** The keys of approval; their prompt is shown over the activity that is attached. */
    val approvalKeys: ApprovalKeys

    /** What the person has chosen in the settings. */
    val preferences: Preferences

    /** The back camera. */
    val camera: ViewCamera

    /**
     * The core, opened once: later callers get the same. Throws what `PairpinApp.open` throws; a later call then
     * tries again.
     */
    suspend fun core(): PairpinApp

    /** Moves a damaged state aside; [core] then opens a new one. Only after the person has said so. */
    suspend fun moveAside()

    /** What holds this phone's keys, as far as the phone tells. */
    fun keyProtection(): KeyProtection

    /** The activity is seen (`onStart`): prompts are shown over it, and connections are held. */
    fun attach(activity: Activity)

    /** The activity is gone from the screen (`onStop`): connections end, unless the person stays connected. */
    fun detach(activity: Activity)
}

/** A camera whose picture can be seen on the screen. */
interface ViewCamera : Camera {
    /** Draws what it sees there, from the next start on; nowhere where it is null. */
    fun showOn(surface: Surface?)
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
