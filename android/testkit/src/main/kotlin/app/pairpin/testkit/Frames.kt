// Frames of a camera, made of a picture: a grey plane in a direct buffer, its rows a stride apart.
package app.pairpin.testkit

import app.pairpin.core.QrModules
import app.pairpin.core.Scanned
import app.pairpin.core.scanLuma
import com.sun.jna.Native
import java.awt.Color
import java.awt.RenderingHints
import java.awt.image.BufferedImage
import java.nio.ByteBuffer
import java.nio.file.Path
import javax.imageio.ImageIO
import kotlin.random.Random

class Frame(val width: Int, val height: Int, val stride: Int) {
    val plane: ByteBuffer = ByteBuffer.allocateDirect(stride * height)

    /** What the core reads in it; nothing is copied on the way. */
    fun scan(): Scanned? {
        val address = com.sun.jna.Pointer.nativeValue(Native.getDirectBufferPointer(plane))
        return scanLuma(address.toULong(), plane.capacity().toULong(), width.toUInt(), height.toUInt(), stride.toUInt())
    }
}

/** A 720p frame that shows `picture`, turned by some degrees, with the noise of a camera. */
fun frameOf(picture: Path, degrees: Double = 7.0, noise: Int = 12, seed: Int = 1): Frame {
    val shown = ImageIO.read(picture.toFile())
    val scene = BufferedImage(1280, 720, BufferedImage.TYPE_BYTE_GRAY)
    scene.createGraphics().apply {
        color = Color(90, 90, 90)
        fillRect(0, 0, scene.width, scene.height)
        setRenderingHint(RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_BILINEAR)
        val side = 420
        translate(430, 150)
        rotate(Math.toRadians(degrees), side / 2.0, side / 2.0)
        drawImage(shown, 0, 0, side, side, null)
        dispose()
    }
    val random = Random(seed)
    val frame = Frame(scene.width, scene.height, scene.width + 64)
    for (y in 0 until scene.height) {
        for (x in 0 until scene.width) {
            val grey = scene.raster.getSample(x, y, 0) + random.nextInt(-noise, noise + 1)
            frame.plane.put(y * frame.stride + x, grey.coerceIn(0, 255).toByte())
        }
    }
    return frame
}

/** A frame that is a picture itself, as it is. */
fun wholeFrameOf(picture: Path): Frame {
    val shown = ImageIO.read(picture.toFile())
    val frame = Frame(shown.width, shown.height, shown.width)
    for (y in 0 until shown.height) {
        for (x in 0 until shown.width) {
            val color = Color(shown.getRGB(x, y))
            frame.plane.put(y * frame.stride + x, ((color.red + color.green + color.blue) / 3).toByte())
        }
    }
    return frame
}

/** A frame of the QR that another phone's screen draws, with the quiet zone that it leaves around. */
fun frameOf(modules: QrModules, scale: Int = 6): Frame {
    val side = modules.side.toInt()
    val frame = Frame((side + 8) * scale, (side + 8) * scale, (side + 8) * scale)
    for (y in 0 until frame.height) {
        for (x in 0 until frame.width) {
            val (row, column) = y / scale - 4 to x / scale - 4
            val inside = row in 0 until side && column in 0 until side
            val dark = inside && modules.dark[row * side + column] == 1.toByte()
            frame.plane.put(y * frame.stride + x, if (dark) 0 else 255.toByte())
        }
    }
    return frame
}
