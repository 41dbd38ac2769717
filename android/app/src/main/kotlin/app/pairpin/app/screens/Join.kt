// This phone asks a machine to be let in: it shows its QR and number to an owner's phone, and types the owner's digits.
package app.pairpin.app.screens

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.material3.CircularProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.input.KeyboardType
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.unit.dp
import app.pairpin.app.R
import app.pairpin.app.parts.Card
import app.pairpin.app.parts.DigitsShown
import app.pairpin.app.parts.Fact
import app.pairpin.app.parts.FingerprintFact
import app.pairpin.app.parts.Line
import app.pairpin.app.parts.MainButton
import app.pairpin.app.parts.Middle
import app.pairpin.app.parts.OtherButton
import app.pairpin.app.parts.QrPicture
import app.pairpin.app.parts.ScreenFrame
import app.pairpin.app.parts.Tone
import app.pairpin.app.parts.Typed
import app.pairpin.app.parts.colour
import app.pairpin.app.texts.left
import app.pairpin.app.texts.meaning
import app.pairpin.app.texts.word
import app.pairpin.app.theme.Digits
import app.pairpin.app.theme.Icons
import app.pairpin.app.theme.Mono
import app.pairpin.core.JoinAsked
import app.pairpin.core.PairpinException
import app.pairpin.shell.JoinScreen

/** What can be done while this phone asks to be let in. */
data class JoinActions(
    val leave: () -> Unit = {},
    val ask: (String) -> Unit = {},
    val type: (String) -> Unit = {},
    val done: () -> Unit = {},
)

/** This phone asks to be let in. */
@Composable
fun JoinContent(state: JoinScreen, can: JoinActions, firstAddress: String = "") {
    when (state) {
        is JoinScreen.Typing -> Typing(state.problem, firstAddress, can)
        is JoinScreen.Working -> Working(can.leave)
        is JoinScreen.Waiting -> Waiting(state, can.leave)
        is JoinScreen.Digits -> TypeDigits(state, can)
        is JoinScreen.Done -> PairedContent(state.paired, can.done)
    }
}

@Composable
private fun Typing(problem: PairpinException?, first: String, can: JoinActions) {
    var address by rememberSaveable { mutableStateOf(first) }
    ScreenFrame(
        stringResource(R.string.join_title),
        can.leave,
        end = {
            MainButton(stringResource(R.string.join_ask), { can.ask(address) }, Icons.Door, enabled = address.isNotBlank())
        },
    ) {
        problem?.let { Problem(it) }
        Text(stringResource(R.string.join_text), style = MaterialTheme.typography.bodyLarge)
        Typed(
            address,
            { address = it },
            stringResource(R.string.code_address),
            stringResource(R.string.code_address_note),
            KeyboardType.Uri,
            style = Mono,
            done = { if (address.isNotBlank()) can.ask(address) },
        )
    }
}

@Composable
private fun Working(leave: () -> Unit) {
    ScreenFrame(stringResource(R.string.join_title), leave, leaving = true) {
        Middle {
            CircularProgressIndicator()
            Text(stringResource(R.string.join_working), style = MaterialTheme.typography.bodyLarge, textAlign = TextAlign.Center)
        }
    }
}

@Composable
private fun Waiting(state: JoinScreen.Waiting, leave: () -> Unit) {
    val asked = state.asked
    ScreenFrame(
        stringResource(R.string.join_title),
        leave,
        leaving = true,
        end = { OtherButton(stringResource(R.string.join_stop), leave) },
    ) {
        Text(
            stringResource(R.string.join_show),
            Modifier.fillMaxWidth(),
            style = MaterialTheme.typography.bodyLarge,
            textAlign = TextAlign.Center,
        )
        state.qr?.let { QrPicture(it, stringResource(R.string.join_qr_about)) }
        TimeLeft(state.secondsLeft)
        asked.number?.let {
            Text(
                stringResource(R.string.join_number),
                Modifier.fillMaxWidth(),
                style = MaterialTheme.typography.bodyMedium,
                color = MaterialTheme.colorScheme.onSurfaceVariant,
                textAlign = TextAlign.Center,
            )
            DigitsShown(it)
        }
        WhoAnswers(asked)
    }
}

@Composable
private fun TimeLeft(seconds: Long) {
    Text(
        stringResource(R.string.time_left, left(seconds)),
        Modifier.fillMaxWidth(),
        style = MaterialTheme.typography.titleMedium,
        color = Tone.Warn.colour(),
        textAlign = TextAlign.Center,
    )
}

@Composable
private fun WhoAnswers(asked: JoinAsked) {
    Card {
        Fact(stringResource(R.string.address), asked.address, mono = true)
        Line()
        FingerprintFact(stringResource(R.string.join_fingerprint), asked.fingerprint)
    }
}

@Composable
private fun TypeDigits(state: JoinScreen.Digits, can: JoinActions) {
    // Never in the saved state: they let somebody in.
    var digits by remember { mutableStateOf("") }
    val grant = state.grant
    ScreenFrame(
        stringResource(R.string.join_title),
        can.leave,
        leaving = true,
        end = { MainButton(stringResource(R.string.join_prove), { can.type(digits) }, enabled = digits.isNotBlank()) },
    ) {
        Headline(Icons.Door, Tone.Good, stringResource(R.string.join_let_in, grant.name))
        Text(
            stringResource(R.string.join_type_digits),
            Modifier.fillMaxWidth(),
            style = MaterialTheme.typography.bodyLarge,
            textAlign = TextAlign.Center,
        )
        Column(Modifier.fillMaxWidth().padding(vertical = 4.dp), Arrangement.spacedBy(8.dp), Alignment.CenterHorizontally) {
            Typed(
                digits,
                { digits = it },
                stringResource(R.string.join_digits),
                kind = KeyboardType.Number,
                style = Digits.copy(fontSize = MaterialTheme.typography.headlineMedium.fontSize),
                done = { if (digits.isNotBlank()) can.type(digits) },
            )
        }
        TimeLeft(state.secondsLeft)
        Card {
            Fact(
                stringResource(R.string.confirm_role),
                stringResource(grant.role.word),
                note = stringResource(grant.role.meaning),
            )
            Line()
            Fact(stringResource(R.string.machine_platform), grant.platform)
            Line()
            FingerprintFact(stringResource(R.string.confirm_fingerprint), grant.fingerprint)
        }
    }
}
