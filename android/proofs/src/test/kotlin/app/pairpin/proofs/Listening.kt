// A listener as a shell has it: what it is told goes into a channel.
package app.pairpin.proofs

import app.pairpin.core.PairpinApp
import app.pairpin.core.ScreenState
import app.pairpin.core.StateListener
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Job
import kotlinx.coroutines.channels.awaitClose
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.callbackFlow
import kotlinx.coroutines.flow.conflate
import kotlinx.coroutines.launch

/** The app's states, as a stream that ends its listening when nobody collects it. */
fun PairpinApp.states(): Flow<ScreenState> =
    callbackFlow {
        val listener =
            object : StateListener {
                override fun changed(state: ScreenState) {
                    trySend(state)
                }
            }
        val listening = launch { listen(listener); channel.close() }
        awaitClose { listening.cancel() }
    }.conflate()

/** Listens in `scope`, to nobody's use. */
fun PairpinApp.listensIn(scope: CoroutineScope): Job {
    val deaf =
        object : StateListener {
            override fun changed(state: ScreenState) = Unit
        }
    return scope.launch(start = CoroutineStart.UNDISPATCHED) { listen(deaf) }
}
