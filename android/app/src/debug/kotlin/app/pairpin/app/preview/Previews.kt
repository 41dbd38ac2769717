// The states as Android Studio shows them.
package app.pairpin.app.preview

import androidx.compose.runtime.Composable
import androidx.compose.runtime.CompositionLocalProvider
import androidx.compose.ui.tooling.preview.Preview
import androidx.compose.ui.tooling.preview.PreviewParameter
import androidx.compose.ui.tooling.preview.PreviewParameterProvider
import app.pairpin.app.texts.LocalNow
import app.pairpin.app.theme.PairpinTheme

/** Hands the states to a preview. */
class EveryLook : PreviewParameterProvider<Look> {
    override val values = Looks.asSequence()
}

/** A screen as a picture shows it. */
@Composable
fun Shown(look: Look, dark: Boolean = false) {
    CompositionLocalProvider(LocalNow provides NOON) { PairpinTheme(dark) { look.content() } }
}

@Preview(widthDp = 412, heightDp = 915)
@Composable
private fun Light(@PreviewParameter(EveryLook::class) look: Look) = Shown(look)

@Preview(widthDp = 412, heightDp = 915)
@Composable
private fun Dark(@PreviewParameter(EveryLook::class) look: Look) = Shown(look, dark = true)
