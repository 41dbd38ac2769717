// One request: a question of somebody at a machine, or a device that asks to be let in. Facts that hold, facts that a
// process can choose, and what somebody merely says are told apart by place, picture and frame.
package app.pairpin.app.screens

import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.material3.CircularProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.style.TextAlign
import app.pairpin.app.R
import app.pairpin.app.parts.Banner
import app.pairpin.app.parts.DigitsShown
import app.pairpin.app.parts.MainButton
import app.pairpin.app.parts.Middle
import app.pairpin.app.parts.ScreenFrame
import app.pairpin.app.parts.Tone
import app.pairpin.app.texts.advice
import app.pairpin.app.texts.ending
import app.pairpin.app.texts.text
import app.pairpin.app.theme.Icons
import app.pairpin.core.And
import app.pairpin.core.Ending
import app.pairpin.core.InboxItem
import app.pairpin.core.Request
import app.pairpin.core.Terms
import app.pairpin.shell.Hint
import app.pairpin.shell.RequestScreen

/** What can be done about a request. */
data class RequestActions(
    val yes: () -> Unit = {},
    val no: (And?) -> Unit = {},
    val letIn: (Terms) -> Unit = {},
    val letInByNumber: (String, Terms) -> Unit = { _, _ -> },
    val scan: () -> Unit = {},
    val back: () -> Unit = {},
    val phoneSettings: () -> Unit = {},
)

/** A request of the inbox. */
@Composable
fun RequestContent(state: RequestScreen, can: RequestActions) {
    when (state) {
        is RequestScreen.Looking -> Waiting(can.back)
        // In one place: what was chosen stays chosen while the person decides, and after a prompt that was dismissed.
        is RequestScreen.Open, is RequestScreen.Working -> {
            val open = state as? RequestScreen.Open
            val working = state as? RequestScreen.Working
            val item = open?.request ?: working?.request ?: return
            Opened(item, (open?.scanned ?: working?.scanned) == true, open?.hint, busy = open == null, can)
        }
        is RequestScreen.Over -> Ended(state, can.back)
        is RequestScreen.ShowDigits -> ShowDigits(state, can.back)
    }
}

@Composable
private fun Waiting(back: () -> Unit) {
    ScreenFrame(stringResource(R.string.request_title), back) {
        Middle {
            CircularProgressIndicator()
            Text(stringResource(R.string.request_looking), style = MaterialTheme.typography.bodyLarge, textAlign = TextAlign.Center)
        }
    }
}

@Composable
private fun Opened(item: InboxItem, scanned: Boolean, hint: Hint?, busy: Boolean, can: RequestActions) {
    when (val request = item.request) {
        is Request.Ask -> AskContent(item, request, hint, busy, can)
        is Request.Join -> JoinerContent(item, request, scanned, hint, busy, can)
    }
}

/** What the last attempt came to. */
@Composable
internal fun HintBanner(hint: Hint) {
    val advice = advice(hint)
    val tone = if (hint is Hint.Cancelled) Tone.Plain else Tone.Warn
    Banner(tone, advice.cause.text(), advice.step.text())
}

@Composable
private fun Ended(over: RequestScreen.Over, back: () -> Unit) {
    ScreenFrame(
        stringResource(R.string.request_title),
        back,
        end = { MainButton(stringResource(R.string.done), back) },
    ) {
        val how = over.how
        val (icon, tone) =
            when (how) {
                is Ending.Yes -> Icons.Check to Tone.Good
                is Ending.No -> Icons.Close to Tone.Plain
                is Ending.Withdrawn, is Ending.Expired, is Ending.Unknown -> Icons.Clock to Tone.Plain
            }
        Headline(icon, tone, ending(how).text())
        (over.request?.request as? Request.Ask)?.let {
            Text(
                it.claimed.text,
                Modifier.fillMaxWidth(),
                style = MaterialTheme.typography.bodyLarge,
                color = MaterialTheme.colorScheme.onSurfaceVariant,
                textAlign = TextAlign.Center,
            )
        }
        over.error?.let { Problem(it) }
    }
}

@Composable
private fun ShowDigits(state: RequestScreen.ShowDigits, back: () -> Unit) {
    ScreenFrame(
        stringResource(R.string.digits_title),
        back,
        end = { MainButton(stringResource(R.string.done), back) },
    ) {
        Headline(Icons.Door, null, stringResource(R.string.digits_headline, state.name))
        Text(
            stringResource(R.string.digits_text, state.name),
            Modifier.fillMaxWidth(),
            style = MaterialTheme.typography.bodyLarge,
            textAlign = TextAlign.Center,
        )
        DigitsShown(state.digits)
        Text(
            stringResource(R.string.digits_never),
            Modifier.fillMaxWidth(),
            style = MaterialTheme.typography.bodyMedium,
            color = MaterialTheme.colorScheme.onSurfaceVariant,
            textAlign = TextAlign.Center,
        )
    }
}
