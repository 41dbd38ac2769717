// The devices of a machine, as an owner sees them, and what is decided about one.
package app.pairpin.app.screens

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.material3.CircularProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableIntStateOf
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.pluralStringResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.unit.dp
import app.pairpin.app.R
import app.pairpin.app.parts.Card
import app.pairpin.app.parts.Emblem
import app.pairpin.app.parts.Leads
import app.pairpin.app.parts.Line
import app.pairpin.app.parts.MainButton
import app.pairpin.app.parts.Middle
import app.pairpin.app.parts.OneOf
import app.pairpin.app.parts.OtherButton
import app.pairpin.app.parts.ScreenFrame
import app.pairpin.app.parts.Tag
import app.pairpin.app.parts.Tone
import app.pairpin.app.parts.Typed
import app.pairpin.app.texts.advice
import app.pairpin.app.texts.ago
import app.pairpin.app.texts.day
import app.pairpin.app.texts.deviceIcon
import app.pairpin.app.texts.meaning
import app.pairpin.app.texts.text
import app.pairpin.app.texts.why
import app.pairpin.app.texts.word
import app.pairpin.app.theme.Icons
import app.pairpin.core.DeviceAction
import app.pairpin.core.DeviceView
import app.pairpin.core.RoleName
import app.pairpin.shell.DevicesScreen

/** So many devices are drawn at once: a machine may have ten thousand. */
private const val DRAWN = 50

/** What can be done with devices. */
data class DevicesActions(
    val back: () -> Unit = {},
    val refresh: () -> Unit = {},
    val revoke: (String, String?) -> Unit = { _, _ -> },
    val setRole: (String, RoleName) -> Unit = { _, _ -> },
    val lift: (String) -> Unit = {},
    val forgetKey: (String) -> Unit = {},
)

/** What the person looks at among the devices: nothing yet, one, or a step with it. */
data class DevicesLook(val device: String? = null, val step: DeviceAction? = null)

/** The devices of `machine`; `first` is what is looked at in the beginning. */
@Composable
fun DevicesContent(state: DevicesScreen, machine: String, can: DevicesActions, first: DevicesLook = DevicesLook()) {
    var device by rememberSaveable { mutableStateOf(first.device) }
    var step by rememberSaveable { mutableStateOf(first.step) }
    var drawn by rememberSaveable { mutableIntStateOf(DRAWN) }
    val listed = state as? DevicesScreen.Listed
    val chosen = listed?.devices?.find { it.id == device }
    val close = { step = null }
    when {
        chosen != null && step == DeviceAction.REVOKE ->
            Revoking(chosen, machine, close) { reason ->
                close()
                can.revoke(chosen.id, reason)
            }
        chosen != null && step == DeviceAction.SET_ROLE ->
            Role(chosen, close) { role ->
                close()
                can.setRole(chosen.id, role)
            }
        else ->
            ScreenFrame(stringResource(R.string.devices_of, machine), can.back) {
                when (state) {
                    is DevicesScreen.Loading -> Middle { CircularProgressIndicator() }
                    is DevicesScreen.Failed -> Failed(state, can.refresh)
                    is DevicesScreen.Listed -> {
                        state.hint?.let { HintBanner(it) }
                        for (one in state.devices.take(drawn)) {
                            DeviceCard(
                                one,
                                open = one.id == device,
                                busy = state.working != null,
                                toggle = { device = if (device == one.id) null else one.id },
                                act = { action ->
                                    when (action) {
                                        DeviceAction.REVOKE, DeviceAction.SET_ROLE -> step = action
                                        DeviceAction.LIFT -> can.lift(one.id)
                                        DeviceAction.FORGET_KEY -> can.forgetKey(one.id)
                                    }
                                },
                            )
                        }
                        val more = state.devices.size - drawn
                        if (more > 0) OtherButton(pluralStringResource(R.plurals.devices_more, more, more), { drawn += DRAWN })
                    }
                }
            }
    }
}

@Composable
private fun Failed(state: DevicesScreen.Failed, again: () -> Unit) {
    val advice = advice(state.error)
    Headline(Icons.Warning, Tone.Warn, advice.cause.text())
    Text(advice.step.text(), style = MaterialTheme.typography.bodyLarge)
    if (state.again) MainButton(stringResource(R.string.try_again), again)
}

@OptIn(ExperimentalLayoutApi::class)
@Composable
private fun DeviceCard(
    device: DeviceView,
    open: Boolean,
    busy: Boolean,
    toggle: () -> Unit,
    act: (DeviceAction) -> Unit,
) {
    Card {
        Card(toggle, border = null) {
            Row(Modifier.padding(16.dp), Arrangement.spacedBy(14.dp)) {
                Emblem(deviceIcon(device.platform))
                Column(Modifier.weight(1f), Arrangement.spacedBy(4.dp)) {
                    FlowRow(
                        Modifier.fillMaxWidth(),
                        Arrangement.SpaceBetween,
                        Arrangement.spacedBy(4.dp),
                        Alignment.CenterVertically,
                    ) {
                        Text(device.name, style = MaterialTheme.typography.titleMedium)
                        Tag(stringResource(device.role.word))
                    }
                    if (device.thisPhone) Tag(stringResource(R.string.this_phone), Tone.Good)
                    Presence(device)
                    Text(
                        device.platform,
                        style = MaterialTheme.typography.bodyMedium,
                        color = MaterialTheme.colorScheme.onSurfaceVariant,
                    )
                }
            }
        }
        if (open) {
            for (possible in device.actions) {
                Line()
                val whyNot = possible.whyNot?.let { why(it).text() }
                val free = whyNot == null && !busy
                val go = { act(possible.action) }
                when (possible.action) {
                    DeviceAction.REVOKE -> Leads(Icons.Stop, stringResource(R.string.revoke), go, whyNot, free, danger = true)
                    DeviceAction.SET_ROLE -> Leads(Icons.Edit, stringResource(R.string.set_role), go, whyNot, free)
                    DeviceAction.LIFT -> Leads(Icons.Check, stringResource(R.string.lift), go, whyNot, free)
                    DeviceAction.FORGET_KEY -> Leads(Icons.Key, stringResource(R.string.forget_key), go, whyNot, free)
                }
            }
        }
    }
}

@Composable
private fun Presence(device: DeviceView) {
    val suspended = device.suspended
    when {
        suspended != null -> Status(stringResource(R.string.suspended), suspended, Tone.Warn)
        device.expired -> Status(stringResource(R.string.expired), null, Tone.Warn)
        device.connected > 0u -> Status(stringResource(R.string.connected), null, Tone.Good)
        else ->
            Status(
                stringResource(R.string.offline),
                device.lastSeen?.let { stringResource(R.string.last_seen, ago(it)) },
                Tone.Plain,
            )
    }
    device.endsSoon?.let { Status(stringResource(R.string.session_ends, day(it)), null, Tone.Warn) }
}

@Composable
private fun Revoking(device: DeviceView, machine: String, close: () -> Unit, revoke: (String?) -> Unit) {
    var reason by rememberSaveable { mutableStateOf("") }
    ScreenFrame(
        stringResource(R.string.revoke),
        close,
        leaving = true,
        end = {
            MainButton(stringResource(R.string.revoke), { revoke(reason.ifBlank { null }) }, Icons.Stop, danger = true)
            OtherButton(stringResource(R.string.cancel), close)
        },
    ) {
        Headline(deviceIcon(device.platform), Tone.Bad, stringResource(R.string.revoke_question, device.name, machine))
        Text(stringResource(R.string.revoke_text), style = MaterialTheme.typography.bodyLarge)
        Typed(reason, { reason = it }, stringResource(R.string.revoke_reason), stringResource(R.string.revoke_reason_note), done = {})
    }
}

@Composable
private fun Role(device: DeviceView, close: () -> Unit, set: (RoleName) -> Unit) {
    var role by rememberSaveable { mutableStateOf(device.role) }
    ScreenFrame(
        stringResource(R.string.set_role),
        close,
        leaving = true,
        end = { MainButton(stringResource(R.string.save), { set(role) }, enabled = role != device.role) },
    ) {
        Text(stringResource(R.string.set_role_of, device.name), style = MaterialTheme.typography.bodyLarge)
        OneOf(RoleName.entries, role, { role = it }, { stringResource(it.word) }, { stringResource(it.meaning) })
    }
}
