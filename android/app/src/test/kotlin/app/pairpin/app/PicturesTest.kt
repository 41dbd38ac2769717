package app.pairpin.app

import android.app.Application
import android.graphics.Bitmap
import android.graphics.Canvas
import androidx.compose.ui.test.junit4.v2.createEmptyComposeRule
import app.pairpin.app.preview.Look
import app.pairpin.app.preview.Looks
import java.awt.image.BufferedImage
import java.awt.image.IndexColorModel
import java.io.File
import javax.imageio.ImageIO
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/** Pictures of the screens, as the framework's own code draws them. They go to the build's directory. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = Application::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class PicturesTest {
    @get:Rule val rule = createEmptyComposeRule()
    private val directory = File(System.getProperty("pairpin.pictures"))

    private fun pictures(setup: Setup, looks: List<Look>) {
        val seen =
            Stage(rule).on(setup, looks.map { it.name to it.content }) { name, activity ->
                val view = activity.window.decorView
                val bitmap = Bitmap.createBitmap(view.width, view.height, Bitmap.Config.ARGB_8888)
                view.draw(Canvas(bitmap))
                write(bitmap, directory.resolve("${setup.name}/$name.png"))
            }
        assertEquals(looks.size, seen.size)
        // A picture of nothing has one colour.
        assertTrue(seen.all { it > 12 }, "a picture shows nothing: ${looks.zip(seen).filter { it.second <= 12 }.map { it.first.name }}")
    }

    private val keys = Looks.filter { it.key }

    @Test fun `every screen, light`() = pictures(Ordinary, Looks)

    @Test fun `dark`() = pictures(Setup("dark", "en-w412dp-h915dp-night-hdpi"), keys)

    @Test fun `German`() = pictures(Setup("german", "de-w412dp-h915dp-notnight-hdpi"), keys)

    @Test fun `letters of twice the size`() = pictures(Setup("large", "en-w412dp-h915dp-notnight-hdpi", 2f), keys)

    @Test fun `from right to left`() = pictures(Setup("rtl", "ar-ldrtl-w412dp-h915dp-notnight-hdpi"), keys)

    @Test fun `a small phone`() = pictures(Setup("small", "en-w320dp-h568dp-notnight-hdpi"), keys)

    @Test fun `a tablet`() = pictures(Setup("tablet", "en-w1024dp-h768dp-land-notnight-mdpi"), keys)

    /** Writes it with at most 256 colours; gives how many it had, at most that. */
    private fun write(bitmap: Bitmap, file: File): Int {
        val (width, height) = bitmap.width to bitmap.height
        val pixels = IntArray(width * height).also { bitmap.getPixels(it, 0, width, 0, 0, width, height) }
        val counts = HashMap<Int, Int>()
        for (pixel in pixels) counts.merge(pixel and 0xFFFFFF, 1, Int::plus)
        val palette = counts.entries.sortedByDescending { it.value }.take(256).map { it.key }
        val nearest = HashMap<Int, Int>()
        palette.forEachIndexed { at, colour -> nearest[colour] = at }
        val parts = listOf(16, 8, 0).map { shift -> ByteArray(palette.size) { (palette[it] shr shift).toByte() } }
        val model = IndexColorModel(8, palette.size, parts[0], parts[1], parts[2])
        val image = BufferedImage(width, height, BufferedImage.TYPE_BYTE_INDEXED, model)
        val indices = ByteArray(pixels.size) { at ->
            val colour = pixels[at] and 0xFFFFFF
            nearest.getOrPut(colour) { palette.indices.minBy { distance(palette[it], colour) } }.toByte()
        }
        image.raster.setDataElements(0, 0, width, height, indices)
        file.parentFile.mkdirs()
        ImageIO.write(image, "png", file)
        return palette.size
    }

    private fun distance(one: Int, other: Int): Int =
        listOf(16, 8, 0).sumOf { shift -> ((one shr shift and 255) - (other shr shift and 255)).let { it * it } }
}
