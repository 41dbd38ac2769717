// What is told to a person who does not look at the app: that something waits, never what it says, and no way to
// answer it from there.
package app.pairpin.shell

import app.pairpin.core.PairpinApp
import app.pairpin.core.Request
import app.pairpin.core.ScreenState
import kotlinx.coroutines.CoroutineScope

/** Something waits on a machine. */
data class Notice(val row: Long, val id: String, val machine: String, val kind: Kind) {
    enum class Kind { Ask, Join }
}

/** Implemented over the platform's notifications by the app. */
interface Notices {
    /** Tells it; a tap opens the request. */
    fun tell(notice: Notice)

    /** It is over. */
    fun withdraw(notice: Notice)
}

/** Tells of everything that waits, and withdraws it when it is over, for as long as `scope` lives. */
class NoticesPresenter(app: PairpinApp, private val notices: Notices, scope: CoroutineScope) {
    private var told = emptySet<Notice>()

    init {
        app.follow(scope, ::changed)
    }

    private fun changed(state: ScreenState) {
        // Phones show some fifty at most: one machine that asks without end is not to silence the others.
        val shares = state.inbox.groupBy { it.row }.values.flatMap { it.take(EACH) }
        val waiting = shares.map { Notice(it.row, it.id, it.machine, kindOf(it.request)) }.toSet()
        (told - waiting).forEach(notices::withdraw)
        (waiting - told).forEach(notices::tell)
        told = waiting
    }

    private companion object {
        /** Told of one machine at once, at most. */
        const val EACH = 8
    }

    private fun kindOf(request: Request) =
        when (request) {
            is Request.Ask -> Notice.Kind.Ask
            is Request.Join -> Notice.Kind.Join
        }
}
