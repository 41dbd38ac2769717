// The start: the app's state is opened, or why it cannot be and the way on.
package app.pairpin.app.screens

import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.style.TextAlign
import app.pairpin.app.R
import app.pairpin.app.parts.Card
import app.pairpin.app.parts.Fact
import app.pairpin.app.parts.MainButton
import app.pairpin.app.parts.OtherButton
import app.pairpin.app.parts.ScreenFrame
import app.pairpin.app.parts.Tone
import app.pairpin.app.texts.advice
import app.pairpin.app.texts.text
import app.pairpin.app.theme.Icons
import app.pairpin.shell.StartScreen

/** The start, until it is open. */
@Composable
fun StartContent(state: StartScreen, again: () -> Unit, startAnew: () -> Unit) {
    when (state) {
        is StartScreen.Opening, is StartScreen.Ready -> ScreenFrame(stringResource(R.string.app_name)) { Turning() }
        is StartScreen.Failed -> Failed(state, again, startAnew)
    }
}

@Composable
private fun Failed(state: StartScreen.Failed, again: () -> Unit, startAnew: () -> Unit) {
    val advice = advice(state.error)
    var asked by rememberSaveable { mutableStateOf(false) }
    ScreenFrame(
        stringResource(R.string.app_name),
        end = {
            if (asked) {
                MainButton(stringResource(R.string.start_anew_for_sure), startAnew, danger = true)
                OtherButton(stringResource(R.string.cancel), { asked = false })
            } else {
                MainButton(stringResource(R.string.try_again), again)
                if (state.anew) OtherButton(stringResource(R.string.start_anew), { asked = true }, danger = true)
            }
        },
    ) {
        Headline(Icons.Warning, Tone.Bad, advice.cause.text())
        Text(
            if (asked) stringResource(R.string.start_anew_text) else advice.step.text(),
            Modifier.fillMaxWidth(),
            style = MaterialTheme.typography.bodyLarge,
            textAlign = TextAlign.Center,
        )
        advice.detail?.let { Card { Fact(stringResource(R.string.details), it.text()) } }
    }
}
