// Scanning, pasting and typing: from what the person brings to what it is. Deep links come in by the same door.
package app.pairpin.shell

import app.pairpin.core.PairpinApp
import app.pairpin.core.PairpinException
import app.pairpin.core.Scanned
import app.pairpin.core.ScannedJoin
import app.pairpin.core.scanText
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch

/** The light beside the camera. */
enum class Torch { None, Off, On }

/** What was brought, and where it leads. */
sealed interface Found {
    /** An offer of a machine, to be confirmed. */
    data class Offer(val link: String) : Found

    /** An address and a code that were typed, to be confirmed. */
    data class Code(val address: String, val code: String) : Found

    /** A device that asks one of our machines to be let in: its request, to be decided. */
    data class Join(val text: String, val join: ScannedJoin) : Found
}

/** What the screen of the scanner shows. */
data class ScanScreen(
    /** Whether the camera may be used; pasting and typing work without it. */
    val camera: CameraAccess,
    val torch: Torch,
    /** Why what was seen last is of no use. The camera goes on looking. */
    val problem: PairpinException? = null,
    /** Set once; the camera has stopped. Go there, and call [ScanPresenter.taken]. */
    val found: Found? = null,
)

/** Looks until something of use was found. Ends with `scope`. */
class ScanPresenter(private val app: PairpinApp, private val camera: Camera, private val scope: CoroutineScope) {
    private val shown = MutableStateFlow(ScanScreen(camera.access.value, lightOf(camera)))
    private var looking = false
    private var running = false

    /** What to show now. */
    val screen: StateFlow<ScanScreen> = shown.asStateFlow()

    init {
        scope.launch {
            camera.access.collect { access ->
                shown.update { it.copy(camera = access) }
                turn()
            }
        }
    }

    /** The screen is there, or again: asks for the camera where nobody has yet, else looks. */
    fun enter() {
        synchronized(this) { looking = true }
        if (camera.access.value == CameraAccess.NotAsked) camera.askForAccess()
        turn()
    }

    /** The screen is gone or covered: nothing is looked at. */
    fun leave() {
        synchronized(this) { looking = false }
        turn()
    }

    /** The person taps the button that asks for the camera again. */
    fun askForCamera() = camera.askForAccess()

    /** Switches the light. */
    fun torch(on: Boolean) {
        if (shown.value.torch == Torch.None) return
        camera.torch(on)
        shown.update { it.copy(torch = if (on) Torch.On else Torch.Off) }
    }

    /** A text that was pasted, or brought by a deep link. Nothing is paired by it: the person is asked. */
    fun paste(text: String) = seen(scanText(text.trim()))

    /** The machine's address and the code on its screen, as they were typed. */
    fun typed(address: String, code: String) = leadTo(Found.Code(address.trim(), code.trim()))

    /** What was found is shown elsewhere now. */
    fun taken() {
        shown.update { it.copy(found = null, problem = null) }
        turn()
    }

    private fun seen(scanned: Scanned) {
        if (shown.value.found != null) return
        when (scanned) {
            is Scanned.Offer -> leadTo(Found.Offer(scanned.link))
            is Scanned.Unusable -> shown.update { if (it.found == null) it.copy(problem = scanned.why) else it }
            is Scanned.Join ->
                scope.step({ error -> shown.update { it.copy(problem = error) } }) {
                    leadTo(Found.Join(scanned.text, app.joinOfScan(scanned.text)))
                }
        }
    }

    private fun leadTo(found: Found) {
        // Cameras give many frames of one QR: the first counts.
        shown.update { if (it.found == null) it.copy(found = found, problem = null) else it }
        turn()
    }

    /** The camera runs while somebody looks, it is allowed, and nothing was found yet. */
    private fun turn() = synchronized(this) {
        val run = looking && shown.value.found == null && camera.access.value == CameraAccess.Allowed
        if (run == running) return@synchronized
        running = run
        if (run) camera.start { frame -> frame.read()?.let(::seen) } else camera.stop()
        shown.update { it.copy(torch = lightOf(camera)) }
    }
}

private fun lightOf(camera: Camera) = if (camera.hasTorch) Torch.Off else Torch.None
