// The process: it holds the core and what the platform gives, for the activity and the service.
package app.pairpin.app.platform

import android.app.Application

/** Holds what outlives every screen; tests have one of their own. */
open class PairpinApplication : Application() {
    /** What screens are given. */
    open val dependencies: Dependencies by lazy { PhoneDependencies(this) }
}
