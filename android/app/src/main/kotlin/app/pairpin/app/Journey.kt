// The way through the app: a stack of places. It outlives the activity, so that turning the phone changes nothing.
package app.pairpin.app

import androidx.compose.runtime.mutableStateListOf
import androidx.lifecycle.ViewModel
import androidx.lifecycle.viewModelScope
import app.pairpin.app.platform.Dependencies
import app.pairpin.core.PairpinApp
import app.pairpin.shell.Found
import app.pairpin.shell.StartPresenter
import app.pairpin.shell.StartScreen
import kotlinx.coroutines.flow.mapNotNull
import kotlinx.coroutines.launch

/** Something from outside that the app is opened for. */
sealed interface Visit {
    /** A `pairpin:` link. It leads to the question, and pairs nothing. */
    data class Link(val text: String) : Visit

    /** A request that was told by a notification. */
    data class Waiting(val row: Long, val id: String) : Visit
}

/** The start, and then the places. */
class Journey(private val dependencies: Dependencies) : ViewModel() {
    private val stack = mutableStateListOf<Place>()
    private var ground: Ground? = null
    private var visit: Visit? = null

    /** Until the core is open. */
    val start = StartPresenter(viewModelScope, dependencies::core, dependencies::moveAside)

    /** Where the person is; null until the core is open. */
    val here: Place? get() = stack.lastOrNull()

    /** The places on the way here, by their keys. */
    val way: List<String> get() = stack.map(Place::key)

    /** Whether there is a place behind this one. */
    val canGoBack: Boolean get() = stack.size > 1

    init {
        viewModelScope.launch { start.screen.collect { if (it is StartScreen.Ready) begin(it.app) } }
    }

    private fun begin(app: PairpinApp) {
        home().forEach(Place::close)
        ground = Ground(app, dependencies, viewModelScope).also { stack += MachinesPlace(it) }
        visit?.let(::visit)
    }

    private fun home(): List<Place> = stack.toList().also { stack.clear() }

    /** Opened from outside: now, or as soon as the core is open. */
    fun visit(visit: Visit) {
        if (ground == null) {
            this.visit = visit
            return
        }
        this.visit = null
        // Digits that are being typed into a joiner are still there behind it.
        while (canGoBack && (here as? RequestPlace)?.showsDigits != true) leave()
        when (visit) {
            is Visit.Link -> go { ScanPlace(it, once = true) }.presenter.paste(visit.text)
            is Visit.Waiting -> go { RequestPlace(it, visit.row, visit.id) }
        }
    }

    /** Goes to a place. */
    fun <P : Place> go(place: (Ground) -> P): P {
        val there = place(checkNotNull(ground) { "the core is not open" })
        stack += there
        if (there is ScanPlace) watch(there)
        return there
    }

    /** Goes back by one place. */
    fun back() {
        if (!canGoBack) return
        leave()
        val here = here as? ScanPlace ?: return
        // What it had found was looked at.
        if (here.once) back() else here.presenter.taken()
    }

    /** Goes back to the first screen. */
    fun backToMachines() {
        while (canGoBack) leave()
    }

    private fun leave() = stack.removeAt(stack.lastIndex).close()

    private fun watch(scan: ScanPlace) {
        viewModelScope.launch {
            scan.presenter.screen.mapNotNull { it.found }.collect { if (here == scan) leadTo(it) }
        }
    }

    private fun leadTo(found: Found) {
        when (found) {
            is Found.Offer, is Found.Code -> go { ConfirmPlace(it, found) }
            is Found.Join -> {
                leave()
                // It was scanned from its own request.
                if ((here as? RequestPlace)?.showsDigits == false) leave()
                go { RequestPlace(it, found.join.row, found.join.id, found.text) }
            }
        }
    }

    override fun onCleared() = home().forEach(Place::close)
}
