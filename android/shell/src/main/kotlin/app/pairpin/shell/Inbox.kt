// The inbox: what waits for an answer on every machine, how things ended, and what the machines tell.
package app.pairpin.shell

import app.pairpin.core.Ending
import app.pairpin.core.InboxItem
import app.pairpin.core.NewsView
import app.pairpin.core.PairpinApp
import app.pairpin.core.ScreenState
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow

/** Something that was shown as waiting, and how it ended. */
data class EndedItem(val item: InboxItem, val how: Ending)

/** What the screen of the inbox shows. */
data class InboxScreen(
    /** What waits, soonest over first. */
    val waiting: List<InboxItem> = emptyList(),
    /** What ended since the screen was opened, the latest first. */
    val ended: List<EndedItem> = emptyList(),
    /** What the machines tell and nobody has to answer, the latest first. */
    val news: List<NewsView> = emptyList(),
)

/** Follows the app's state for as long as `scope` lives. */
class InboxPresenter(app: PairpinApp, scope: CoroutineScope) {
    private val seen = LinkedHashMap<Pair<Long, String>, InboxItem>()
    private val shown = MutableStateFlow(screenOf(app.state()))

    /** What to show now. */
    val screen: StateFlow<InboxScreen> = shown.asStateFlow()

    init {
        app.follow(scope) { shown.value = screenOf(it) }
    }

    private fun screenOf(state: ScreenState): InboxScreen = synchronized(seen) {
        for (item in state.inbox) seen[item.row to item.id] = item
        val ended = state.ended.mapNotNull { end -> seen[end.row to end.id]?.let { EndedItem(it, end.how) } }
        // What neither waits nor is kept as ended is of no use any more.
        val kept = state.inbox.map { it.row to it.id } + state.ended.map { it.row to it.id }
        seen.keys.retainAll(kept.toSet())
        InboxScreen(state.inbox, ended.asReversed(), state.news.asReversed())
    }
}
