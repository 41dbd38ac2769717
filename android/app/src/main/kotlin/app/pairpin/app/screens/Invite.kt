// An offer of a machine, made by this phone and shown by it to the next device.
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
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.unit.dp
import app.pairpin.app.R
import app.pairpin.app.parts.Card
import app.pairpin.app.parts.DigitsShown
import app.pairpin.app.parts.Fact
import app.pairpin.app.parts.GroupTitle
import app.pairpin.app.parts.Line
import app.pairpin.app.parts.MainButton
import app.pairpin.app.parts.Middle
import app.pairpin.app.parts.OneOf
import app.pairpin.app.parts.OtherButton
import app.pairpin.app.parts.QrPicture
import app.pairpin.app.parts.ScreenFrame
import app.pairpin.app.parts.Tone
import app.pairpin.app.parts.Typed
import app.pairpin.app.parts.colour
import app.pairpin.app.texts.left
import app.pairpin.app.texts.meaning
import app.pairpin.app.texts.word
import app.pairpin.app.theme.Icons
import app.pairpin.app.theme.Mono
import app.pairpin.core.News
import app.pairpin.core.RoleName
import app.pairpin.shell.Hint
import app.pairpin.shell.InviteScreen

/** What can be done about an invitation. */
data class InviteActions(
    val back: () -> Unit = {},
    val invite: (RoleName, String?) -> Unit = { _, _ -> },
    val another: () -> Unit = {},
    val devices: () -> Unit = {},
)

/** An invitation to `machine`. */
@Composable
fun InviteContent(state: InviteScreen, machine: String, can: InviteActions) {
    when (state) {
        // In one place: what was chosen stays chosen after a prompt that was dismissed.
        is InviteScreen.Choosing, is InviteScreen.Working ->
            Choosing(machine, (state as? InviteScreen.Choosing)?.hint, busy = state is InviteScreen.Working, can)
        is InviteScreen.Shown -> Shown(state, machine, can)
        is InviteScreen.Arrived -> Arrived(state.device, can)
        is InviteScreen.Expired -> Expired(can)
    }
}

@Composable
private fun Choosing(machine: String, hint: Hint?, busy: Boolean, can: InviteActions) {
    var role by rememberSaveable { mutableStateOf(RoleName.OPERATOR) }
    var name by rememberSaveable { mutableStateOf("") }
    ScreenFrame(
        stringResource(R.string.invite_to, machine),
        can.back,
        end = {
            MainButton(stringResource(R.string.invite_make), { can.invite(role, name.ifBlank { null }) }, busy = busy)
        },
    ) {
        hint?.let { HintBanner(it) }
        Text(stringResource(R.string.invite_text), style = MaterialTheme.typography.bodyLarge)
        GroupTitle(stringResource(R.string.joiner_terms))
        OneOf(RoleName.entries, role, { role = it }, { stringResource(it.word) }, { stringResource(it.meaning) })
        Typed(name, { name = it }, stringResource(R.string.invite_name), stringResource(R.string.joiner_name_note), enabled = !busy, done = {})
    }
}

@Composable
private fun Shown(state: InviteScreen.Shown, machine: String, can: InviteActions) {
    ScreenFrame(
        stringResource(R.string.invite_to, machine),
        can.back,
        leaving = true,
    ) {
        Text(
            stringResource(R.string.invite_scan, stringResource(state.role.word)),
            Modifier.fillMaxWidth(),
            style = MaterialTheme.typography.bodyLarge,
            textAlign = TextAlign.Center,
        )
        state.qr?.let { QrPicture(it, stringResource(R.string.invite_qr_about, machine)) }
        Text(
            stringResource(R.string.time_left, left(state.secondsLeft)),
            Modifier.fillMaxWidth(),
            style = MaterialTheme.typography.titleMedium,
            color = Tone.Warn.colour(),
            textAlign = TextAlign.Center,
        )
        state.code?.let { CodeCard(it) }
        Text(
            stringResource(R.string.invite_secret),
            Modifier.fillMaxWidth(),
            style = MaterialTheme.typography.bodyMedium,
            color = MaterialTheme.colorScheme.onSurfaceVariant,
            textAlign = TextAlign.Center,
        )
    }
}

@Composable
private fun CodeCard(code: String) {
    Card {
        Column(
            Modifier.fillMaxWidth().padding(16.dp),
            Arrangement.spacedBy(6.dp),
            Alignment.CenterHorizontally,
        ) {
            Text(
                stringResource(R.string.invite_code),
                style = MaterialTheme.typography.bodyMedium,
                color = MaterialTheme.colorScheme.onSurfaceVariant,
                textAlign = TextAlign.Center,
            )
            Text(
                code,
                style = Mono.copy(fontSize = MaterialTheme.typography.titleLarge.fontSize),
                textAlign = TextAlign.Center,
            )
        }
    }
}

@Composable
private fun Arrived(device: News.DeviceAdded, can: InviteActions) {
    ScreenFrame(
        stringResource(R.string.invite_title),
        can.back,
        leaving = true,
        end = {
            MainButton(stringResource(R.string.invite_same), can.back, Icons.Check)
            OtherButton(stringResource(R.string.invite_not_same), can.devices, danger = true)
        },
    ) {
        Headline(Icons.Check, Tone.Good, stringResource(R.string.invite_arrived, device.name))
        val digits = device.digits
        if (digits != null) {
            Text(
                stringResource(R.string.invite_compare, device.name),
                Modifier.fillMaxWidth(),
                style = MaterialTheme.typography.bodyLarge,
                textAlign = TextAlign.Center,
            )
            DigitsShown(digits)
        }
        Card {
            Fact(stringResource(R.string.machine_role), stringResource(device.role.word))
            Line()
            Fact(stringResource(R.string.paired_from), device.from, mono = true)
        }
    }
}

@Composable
private fun Expired(can: InviteActions) {
    ScreenFrame(
        stringResource(R.string.invite_title),
        can.back,
        end = { MainButton(stringResource(R.string.invite_another), can.another) },
    ) {
        Headline(Icons.Clock, Tone.Plain, stringResource(R.string.invite_expired))
        Text(
            stringResource(R.string.invite_expired_text),
            Modifier.fillMaxWidth(),
            style = MaterialTheme.typography.bodyLarge,
            textAlign = TextAlign.Center,
        )
    }
}

/** While the first picture of a screen is not there yet. */
@Composable
internal fun Turning() = Middle { CircularProgressIndicator() }
