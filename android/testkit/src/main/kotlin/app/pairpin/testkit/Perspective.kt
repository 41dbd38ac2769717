// A frame of a camera that is held askew: the picture is turned, and its far side is smaller than its near one.
package app.pairpin.testkit

import java.awt.image.BufferedImage
import java.nio.file.Path
import javax.imageio.ImageIO
import kotlin.math.cos
import kotlin.math.sin
import kotlin.random.Random

/**
 * A 720p frame that shows `picture` as a camera held askew sees it. `tilt` is how much nearer one side is than the
 * middle: at 0.2 that side is a quarter larger, and the far one a sixth smaller.
 */
fun tiltedFrameOf(
    picture: Path,
    degrees: Double = 9.0,
    tilt: Double = 0.18,
    noise: Int = 12,
    seed: Int = 1,
): Frame {
    val shown = ImageIO.read(picture.toFile())
    val random = Random(seed)
    val frame = Frame(1280, 720, 1280 + 64)
    val (turnCos, turnSin) = Math.toRadians(degrees).let { cos(it) to sin(it) }
    val half = 215.0
    for (y in 0 until frame.height) {
        for (x in 0 until frame.width) {
            // Back from the frame to the picture: turned, then by the inverse of x / (1 + tilt x), y / (1 + tilt x).
            val fromLeft = (x - frame.width / 2) / half
            val fromTop = (y - frame.height / 2) / half
            val across = fromLeft * turnCos + fromTop * turnSin
            val down = fromTop * turnCos - fromLeft * turnSin
            val near = 1 - tilt * across
            val grey = shown.greyAt(across / near, down / near) + random.nextInt(-noise, noise + 1)
            frame.plane.put(y * frame.stride + x, grey.coerceIn(0, 255).toByte())
        }
    }
    return frame
}

/** The grey at a place from -1 to 1 in both directions, between its four neighbours; a grey wall around. */
private fun BufferedImage.greyAt(across: Double, down: Double): Int {
    val x = (across + 1) / 2 * width - 0.5
    val y = (down + 1) / 2 * height - 0.5
    if (x < 0 || y < 0 || x >= width - 1 || y >= height - 1) return 90
    val (left, top) = x.toInt() to y.toInt()
    val (right, low) = x - left to y - top
    val above = grey(left, top) * (1 - right) + grey(left + 1, top) * right
    val below = grey(left, top + 1) * (1 - right) + grey(left + 1, top + 1) * right
    return (above * (1 - low) + below * low).toInt()
}

private fun BufferedImage.grey(x: Int, y: Int): Int = getRGB(x, y).let { ((it shr 16 and 255) + (it shr 8 and 255) + (it and 255)) / 3 }
