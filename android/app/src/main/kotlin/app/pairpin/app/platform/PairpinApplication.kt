// The process: it holds the core and what the platform gives, for the activity and the service.
package app.pairpin.app.platform

import android.app.Application

/** Holds what outlives every screen. */
class PairpinApplication : Application() {
    /** What screens are given; the phone's own from the first use on, unless a test has put another there. */
    var dependencies: Dependencies
        get() = given ?: PhoneDependencies(this).also { given = it }
        set(value) {
            given = value
        }

    private var given: Dependencies? = null
}
