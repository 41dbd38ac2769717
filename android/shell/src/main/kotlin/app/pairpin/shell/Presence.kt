// Whether somebody looks at the app, and what that means for its connections.
package app.pairpin.shell

import app.pairpin.core.PairpinApp
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.combine
import kotlinx.coroutines.launch

/** Told by the platform what happens; keeps the connections while somebody looks, or has chosen to stay connected. */
class Presence(private val app: PairpinApp, preferences: Preferences, scope: CoroutineScope, looks: Boolean = true) {
    private val looking = MutableStateFlow(looks)

    init {
        scope.launch {
            // The core begins in the foreground, whoever looks.
            var kept = true
            combine(looking, preferences.stayConnected) { looks, stays -> looks || stays }.collect { keep ->
                if (keep != kept) if (keep) app.foreground() else app.background()
                kept = keep
            }
        }
    }

    /** The app is on the screen. */
    fun shown() {
        // Also while the connections are kept: each is looked at, as the phone may have slept.
        if (looking.value) return
        looking.value = true
        app.foreground()
    }

    /** The app has left the screen. */
    fun hidden() {
        looking.value = false
    }

    /** The phone is in another network, or in one again. */
    fun networkChanged() = app.networkChanged()
}
