package app.pairpin.app

import androidx.compose.material3.ColorScheme
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.graphics.luminance
import app.pairpin.app.theme.DarkScheme
import app.pairpin.app.theme.DarkSignals
import app.pairpin.app.theme.LightScheme
import app.pairpin.app.theme.LightSignals
import app.pairpin.app.theme.Signals
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue

/** WCAG 2.2, 1.4.3 and 1.4.11: text at 4.5, lines and pictures at 3. */
class ContrastTest {
    private fun contrast(one: Color, other: Color): Double {
        val (high, low) = listOf(one.luminance(), other.luminance()).sortedDescending()
        return (high + 0.05) / (low + 0.05)
    }

    private fun texts(scheme: ColorScheme, signals: Signals): Map<String, Pair<Color, Color>> =
        with(scheme) {
            val grounds =
                mapOf(
                    "background" to background,
                    "card" to surfaceContainerLow,
                    "tag" to surfaceContainerHigh,
                    "command" to surfaceContainerHighest,
                    "good" to signals.goodContainer,
                    "warn" to signals.warnContainer,
                    "bad" to errorContainer,
                )
            val said = grounds.map { (name, ground) -> "text on $name" to (onSurface to ground) }
            val soft =
                listOf("background", "card", "tag", "good").map { "soft text on $it" to (onSurfaceVariant to grounds.getValue(it)) }
            val toned =
                listOf("background", "card").flatMap { ground ->
                    listOf("good" to signals.good, "warn" to signals.warn, "bad" to error, "main" to primary)
                        .map { (tone, colour) -> "$tone on $ground" to (colour to grounds.getValue(ground)) }
                }
            val own =
                listOf(
                    "good on good" to (signals.good to signals.goodContainer),
                    "warn on warn" to (signals.warn to signals.warnContainer),
                    "bad on bad" to (error to errorContainer),
                    "main button" to (onPrimary to primary),
                    "dangerous button" to (onError to error),
                    "digits" to (onPrimaryContainer to primaryContainer),
                    "snack" to (inverseOnSurface to inverseSurface),
                    "link on warn" to (primary to signals.warnContainer),
                    "link on tag" to (primary to surfaceContainerHigh),
                )
            (said + soft + toned + own).toMap()
        }

    private fun tooPale(scheme: ColorScheme, signals: Signals) =
        texts(scheme, signals).mapValues { (_, pair) -> contrast(pair.first, pair.second) }.filterValues { it < 4.5 }

    @Test
    fun `every pair of colours can be read, in light and in dark`() {
        assertEquals(emptyMap(), tooPale(LightScheme, LightSignals))
        assertEquals(emptyMap(), tooPale(DarkScheme, DarkSignals))
        for (scheme in listOf(LightScheme, DarkScheme)) assertTrue(contrast(scheme.outline, scheme.background) >= 3)
    }

    @Test
    fun `the control - pale text is found, and black on white is 21`() {
        assertEquals(21.0, contrast(Color.Black, Color.White), 0.01)
        assertTrue("text on card" in tooPale(LightScheme.copy(onSurface = Color(0xFF8A8A8A)), LightSignals))
    }
}
