// The theme: colours, type and shapes of every screen.
package app.pairpin.app.theme

import androidx.compose.foundation.isSystemInDarkTheme
import androidx.compose.foundation.shape.RoundedCornerShape
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Shapes
import androidx.compose.material3.Typography
import androidx.compose.runtime.Composable
import androidx.compose.runtime.CompositionLocalProvider
import androidx.compose.runtime.ReadOnlyComposable
import androidx.compose.runtime.staticCompositionLocalOf
import androidx.compose.ui.text.TextStyle
import androidx.compose.ui.text.font.FontFamily
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.text.style.TextDirection
import androidx.compose.ui.unit.TextUnit
import androidx.compose.ui.unit.dp
import androidx.compose.ui.unit.em
import androidx.compose.ui.unit.sp

private val LocalSignals = staticCompositionLocalOf { LightSignals }

/** Colours beside those of Material. */
val MaterialTheme.signals: Signals
    @Composable @ReadOnlyComposable get() = LocalSignals.current

private val base = Typography()

/** Names and questions come from elsewhere: each line runs as its own letters do, whatever the screen's language. */
private fun TextStyle.set(weight: FontWeight? = null, spacing: TextUnit = 0.sp) =
    copy(fontWeight = weight ?: fontWeight, letterSpacing = spacing, textDirection = TextDirection.Content)

private val PairpinTypography =
    Typography(
        headlineMedium = base.headlineMedium.set(FontWeight.SemiBold, (-0.01).em),
        headlineSmall = base.headlineSmall.set(FontWeight.SemiBold),
        titleLarge = base.titleLarge.set(FontWeight.SemiBold),
        titleMedium = base.titleMedium.set(FontWeight.SemiBold),
        titleSmall = base.titleSmall.set(FontWeight.SemiBold),
        bodyLarge = base.bodyLarge.set(spacing = 0.1.sp),
        bodyMedium = base.bodyMedium.set(spacing = 0.1.sp),
        bodySmall = base.bodySmall.set(spacing = 0.15.sp),
        labelLarge = base.labelLarge.set(FontWeight.SemiBold),
        labelMedium = base.labelMedium.set(spacing = 0.2.sp),
    )

/** What is compared letter by letter, or typed: fingerprints, addresses, commands. */
val Mono =
    TextStyle(
        fontFamily = FontFamily.Monospace,
        fontSize = 15.sp,
        lineHeight = 22.sp,
        // From left to right everywhere: turned round, a path or a fingerprint would be another.
        textDirection = TextDirection.Ltr,
    )

/** Digits that a person reads aloud or types. */
val Digits =
    TextStyle(
        fontFamily = FontFamily.Monospace,
        fontSize = 40.sp,
        lineHeight = 48.sp,
        fontWeight = FontWeight.Medium,
        letterSpacing = 0.12.em,
        textDirection = TextDirection.Ltr,
    )

private val PairpinShapes =
    Shapes(
        extraSmall = RoundedCornerShape(8.dp),
        small = RoundedCornerShape(12.dp),
        medium = RoundedCornerShape(16.dp),
        large = RoundedCornerShape(20.dp),
        extraLarge = RoundedCornerShape(28.dp),
    )

/** Around every screen. */
@Composable
fun PairpinTheme(dark: Boolean = isSystemInDarkTheme(), content: @Composable () -> Unit) {
    CompositionLocalProvider(LocalSignals provides if (dark) DarkSignals else LightSignals) {
        MaterialTheme(if (dark) DarkScheme else LightScheme, PairpinShapes, PairpinTypography, content)
    }
}
