// The colours: a deep green that says "in order" without shouting, and few others. Each pair that text is drawn in is
// checked to be readable (contrast AA) by a test, in light and in dark.
package app.pairpin.app.theme

import androidx.compose.material3.ColorScheme
import androidx.compose.material3.darkColorScheme
import androidx.compose.material3.lightColorScheme
import androidx.compose.runtime.Immutable
import androidx.compose.ui.graphics.Color

internal val LightScheme: ColorScheme =
    lightColorScheme(
        primary = Color(0xFF0A5C4C),
        onPrimary = Color(0xFFFFFFFF),
        primaryContainer = Color(0xFFC9EBDF),
        onPrimaryContainer = Color(0xFF00382D),
        inversePrimary = Color(0xFF84D6C0),
        secondary = Color(0xFF47635A),
        onSecondary = Color(0xFFFFFFFF),
        secondaryContainer = Color(0xFFDCE9E3),
        onSecondaryContainer = Color(0xFF1D3A31),
        tertiary = Color(0xFF375E80),
        onTertiary = Color(0xFFFFFFFF),
        tertiaryContainer = Color(0xFFD5E6F6),
        onTertiaryContainer = Color(0xFF14344F),
        error = Color(0xFFA8231C),
        onError = Color(0xFFFFFFFF),
        errorContainer = Color(0xFFFBE0DC),
        onErrorContainer = Color(0xFF5E100B),
        background = Color(0xFFF6F9F7),
        onBackground = Color(0xFF16201C),
        surface = Color(0xFFF6F9F7),
        onSurface = Color(0xFF16201C),
        surfaceVariant = Color(0xFFDDE5E1),
        onSurfaceVariant = Color(0xFF46534E),
        surfaceTint = Color(0xFF0A5C4C),
        inverseSurface = Color(0xFF2B3531),
        inverseOnSurface = Color(0xFFECF2EF),
        outline = Color(0xFF6D7B75),
        outlineVariant = Color(0xFFCBD5D0),
        scrim = Color(0xFF000000),
        surfaceBright = Color(0xFFF6F9F7),
        surfaceDim = Color(0xFFD7DDDA),
        surfaceContainerLowest = Color(0xFFFFFFFF),
        surfaceContainerLow = Color(0xFFFFFFFF),
        surfaceContainer = Color(0xFFEEF3F0),
        surfaceContainerHigh = Color(0xFFE8EEEB),
        surfaceContainerHighest = Color(0xFFE2E9E5),
    )

internal val DarkScheme: ColorScheme =
    darkColorScheme(
        primary = Color(0xFF84D6C0),
        onPrimary = Color(0xFF00382D),
        primaryContainer = Color(0xFF0A4F41),
        onPrimaryContainer = Color(0xFFBFEBDD),
        inversePrimary = Color(0xFF0A5C4C),
        secondary = Color(0xFFB0CCC1),
        onSecondary = Color(0xFF1C352D),
        secondaryContainer = Color(0xFF2B3F38),
        onSecondaryContainer = Color(0xFFD0E4DB),
        tertiary = Color(0xFFA5CBEC),
        onTertiary = Color(0xFF0A344F),
        tertiaryContainer = Color(0xFF1F4564),
        onTertiaryContainer = Color(0xFFD3E7FA),
        error = Color(0xFFFFB4A9),
        onError = Color(0xFF690005),
        errorContainer = Color(0xFF6E1A14),
        onErrorContainer = Color(0xFFFFDAD4),
        background = Color(0xFF0E1412),
        onBackground = Color(0xFFDFE7E3),
        surface = Color(0xFF0E1412),
        onSurface = Color(0xFFDFE7E3),
        surfaceVariant = Color(0xFF3F4A46),
        onSurfaceVariant = Color(0xFFB9C6C0),
        surfaceTint = Color(0xFF84D6C0),
        inverseSurface = Color(0xFFDFE7E3),
        inverseOnSurface = Color(0xFF2B3531),
        outline = Color(0xFF88958F),
        outlineVariant = Color(0xFF38433F),
        scrim = Color(0xFF000000),
        surfaceBright = Color(0xFF343B38),
        surfaceDim = Color(0xFF0E1412),
        surfaceContainerLowest = Color(0xFF090F0D),
        surfaceContainerLow = Color(0xFF171E1B),
        surfaceContainer = Color(0xFF1B2320),
        surfaceContainerHigh = Color(0xFF252E2A),
        surfaceContainerHighest = Color(0xFF303935),
    )

/** What Material has no role for: in order, and look at it. */
@Immutable
data class Signals(val good: Color, val goodContainer: Color, val warn: Color, val warnContainer: Color)

internal val LightSignals =
    Signals(Color(0xFF0B6B3A), Color(0xFFD3F0DD), Color(0xFF7A4A00), Color(0xFFFFEBCB))

internal val DarkSignals =
    Signals(Color(0xFF7FDBA0), Color(0xFF0F3B25), Color(0xFFF4BE6B), Color(0xFF432C06))
