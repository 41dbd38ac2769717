// What the activity is given: the phone's own parts in the app, others in tests.
package app.pairpin.app.platform

import android.app.Application
import androidx.activity.ComponentActivity
import app.pairpin.core.PairpinApp
import app.pairpin.shell.ApprovalKeys

/** What the activity is given. */
interface Dependencies {
    /** Opens the core, once; later callers get the same. Throws what the start has to show. */
    suspend fun open(): PairpinApp

    /** Keys of approval; their prompt is shown over the activity given to [attach]. */
    val approvalKeys: ApprovalKeys

    /** Called as the activity is made. */
    fun attach(activity: ComponentActivity)

    /** The activity is on the screen. */
    fun shown()

    /** It has left the screen. */
    fun hidden()
}

/** The application; a test has a subclass with parts of its own. */
open class PairpinApplication : Application() {
    /** What the activity is given. */
    open val dependencies: Dependencies by lazy { error("the phone's own parts are not there yet") }
}
