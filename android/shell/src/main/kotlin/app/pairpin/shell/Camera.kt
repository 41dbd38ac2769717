// The phone's camera as the shell sees it: what the person allows, a light, and frames that are read where they lie.
package app.pairpin.shell

import app.pairpin.core.Scanned
import app.pairpin.core.scanLuma
import com.sun.jna.Native
import com.sun.jna.Pointer
import java.nio.ByteBuffer
import kotlinx.coroutines.flow.StateFlow

/** Whether the app may look through the camera. */
enum class CameraAccess {
    /** The person has not been asked yet. */
    NotAsked,

    /** It may. */
    Allowed,

    /** The person said no, and may be asked again. */
    Refused,

    /** The person said no for good: only the phone's settings change that. */
    RefusedForGood,

    /** The phone has none. */
    NoCamera,
}

/** A frame's grey plane, in a direct buffer, rows `stride` bytes apart. It is the camera's again once it was seen. */
class CameraFrame(val plane: ByteBuffer, val width: Int, val height: Int, val stride: Int) {
    /** What the core reads in it; nothing is copied on the way. */
    fun read(): Scanned? {
        require(plane.isDirect) { "a frame lies in a direct buffer" }
        val address = Pointer.nativeValue(Native.getDirectBufferPointer(plane))
        return scanLuma(address.toULong(), plane.capacity().toULong(), width.toUInt(), height.toUInt(), stride.toUInt())
    }
}

/** Implemented over Camera2 by the app, by pictures in the tests. */
interface Camera {
    /** What the person allows, as it is now. */
    val access: StateFlow<CameraAccess>

    /** Whether there is a light beside it. */
    val hasTorch: Boolean

    /** Asks the person, where that can be; `access` tells what came of it. */
    fun askForAccess()

    /** Opens it; every frame is given to `see`, one after the other, on a thread of the camera's. */
    fun start(see: (CameraFrame) -> Unit)

    /** Switches the light while it is open. */
    fun torch(on: Boolean)

    /** Closes it, and the light with it. Also called from within `see`, so it does not wait for that. */
    fun stop()
}
