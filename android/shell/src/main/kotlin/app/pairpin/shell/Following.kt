// What every presenter does: follow the app's state, and run what a person asked for without ever ending the app.
package app.pairpin.shell

import app.pairpin.core.InternalException
import app.pairpin.core.PairpinApp
import app.pairpin.core.PairpinException
import app.pairpin.core.ScreenState
import app.pairpin.core.StateListener
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch

/** Tells `changed` of the present state and of each that follows, for as long as `scope` lives. */
internal fun PairpinApp.follow(scope: CoroutineScope, changed: (ScreenState) -> Unit): Job =
    scope.launch {
        val listener =
            object : StateListener {
                override fun changed(state: ScreenState) = changed(state)
            }
        try {
            listen(listener)
        } catch (over: IllegalStateException) {
            over.unlessTheAppIsOver()
        }
    }

/** Runs `work`; what goes wrong is handed to `failed`, a defect of the core as well. */
internal fun CoroutineScope.step(failed: (PairpinException) -> Unit, work: suspend () -> Unit): Job =
    launch {
        try {
            work()
        } catch (error: PairpinException) {
            failed(error)
        } catch (defect: InternalException) {
            failed(PairpinException.State(defect.message ?: "a step of the app failed, start it again"))
        } catch (over: IllegalStateException) {
            over.unlessTheAppIsOver()
        }
    }

/** A call to an app that was closed meanwhile is nobody's business any more; that a step is cancelled goes on. */
private fun IllegalStateException.unlessTheAppIsOver() {
    if (this is CancellationException || message?.contains("destroyed") != true) throw this
}

/** Milliseconds that pass, the phone asleep or not; Android has a better one. */
typealias Elapsed = () -> Long

internal val monotonic: Elapsed = { System.nanoTime() / 1_000_000 }

/** Counts down to `end`: the seconds that are `left` are told at once and whenever one is over, at last 0. */
internal suspend fun countDown(end: Long, elapsed: Elapsed, left: (Long) -> Unit) {
    while (true) {
        val rest = (end - elapsed()).coerceAtLeast(0)
        left((rest + 999) / 1000)
        if (rest == 0L) return
        delay((rest - 1) % 1000 + 1)
    }
}
