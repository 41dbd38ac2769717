// The first screen: every machine and how it stands, or, while there is none, how to get one.
package app.pairpin.app.screens

import androidx.compose.foundation.BorderStroke
import androidx.compose.foundation.background
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ColumnScope
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.Spacer
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.height
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.shape.CircleShape
import androidx.compose.material3.Badge
import androidx.compose.material3.BadgedBox
import androidx.compose.material3.ExtendedFloatingActionButton
import androidx.compose.material3.Icon
import androidx.compose.material3.IconButton
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.draw.clip
import androidx.compose.ui.platform.LocalDensity
import androidx.compose.ui.res.pluralStringResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.unit.dp
import androidx.compose.ui.unit.sp
import app.pairpin.app.R
import app.pairpin.app.parts.Card
import app.pairpin.app.parts.Command
import app.pairpin.app.parts.Emblem
import app.pairpin.app.parts.MainButton
import app.pairpin.app.parts.OtherButton
import app.pairpin.app.parts.ScreenFrame
import app.pairpin.app.parts.Tag
import app.pairpin.app.parts.Tone
import app.pairpin.app.parts.colour
import app.pairpin.app.parts.container
import app.pairpin.app.texts.day
import app.pairpin.app.texts.standing
import app.pairpin.app.texts.word
import app.pairpin.app.theme.Icons
import app.pairpin.core.MachineView
import app.pairpin.shell.MachinesScreen

/** What can be done on the first screen. */
data class MachinesActions(
    val scan: () -> Unit = {},
    val typeCode: () -> Unit = {},
    val open: (Long) -> Unit = {},
    val inbox: () -> Unit = {},
    val settings: () -> Unit = {},
)

/** The machines. */
@Composable
fun MachinesContent(state: MachinesScreen, can: MachinesActions) {
    val waiting = (state as? MachinesScreen.Listed)?.waiting ?: 0
    val empty = state is MachinesScreen.Empty
    ScreenFrame(
        stringResource(R.string.machines_title),
        actions = {
            if (!empty) InboxButton(waiting, can.inbox)
            IconButton(can.settings, Modifier.size(48.dp)) { Icon(Icons.Settings, stringResource(R.string.settings_title)) }
        },
        floating = { if (!empty) AddButton(can.scan) },
        end = if (empty) ({ EmptyActions(can) }) else null,
    ) {
        when (state) {
            is MachinesScreen.Empty -> Teaching()
            is MachinesScreen.Listed -> {
                if (waiting > 0) Waiting(waiting, can.inbox)
                for (machine in state.machines) MachineCard(machine) { can.open(machine.row) }
                // So that the last one can be seen from under the button.
                Spacer(Modifier.height(88.dp))
            }
        }
    }
}

@Composable
private fun InboxButton(waiting: Int, open: () -> Unit) {
    val about =
        if (waiting == 0) stringResource(R.string.inbox_title)
        else pluralStringResource(R.plurals.inbox_waiting, waiting, waiting)
    IconButton(open, Modifier.size(48.dp)) {
        BadgedBox({ if (waiting > 0) Badge() }) {
            Icon(Icons.Inbox, about)
        }
    }
}

@Composable
private fun AddButton(scan: () -> Unit) {
    ExtendedFloatingActionButton(
        onClick = scan,
        containerColor = MaterialTheme.colorScheme.primary,
        contentColor = MaterialTheme.colorScheme.onPrimary,
    ) {
        Icon(Icons.Scan, null)
        Text(
            stringResource(R.string.machines_add),
            Modifier.padding(start = 12.dp),
            style = MaterialTheme.typography.titleMedium,
        )
    }
}

@Composable
private fun Waiting(waiting: Int, open: () -> Unit) {
    Card(open, MaterialTheme.colorScheme.primaryContainer, border = null) {
        Row(Modifier.padding(16.dp), Arrangement.spacedBy(12.dp), Alignment.CenterVertically) {
            Icon(Icons.Bell, null, tint = MaterialTheme.colorScheme.onPrimaryContainer)
            Text(
                pluralStringResource(R.plurals.inbox_waiting, waiting, waiting),
                Modifier.weight(1f),
                style = MaterialTheme.typography.titleMedium,
                color = MaterialTheme.colorScheme.onPrimaryContainer,
            )
            Icon(Icons.Forward, null, tint = MaterialTheme.colorScheme.onPrimaryContainer)
        }
    }
}

@OptIn(ExperimentalLayoutApi::class)
@Composable
private fun MachineCard(machine: MachineView, open: () -> Unit) {
    val standing = standing(machine.condition)
    val bad = standing.tone == Tone.Bad
    Card(
        open,
        border =
            if (bad) BorderStroke(1.5.dp, MaterialTheme.colorScheme.error)
            else BorderStroke(1.dp, MaterialTheme.colorScheme.outlineVariant),
    ) {
        Row(Modifier.padding(16.dp), Arrangement.spacedBy(14.dp)) {
            Emblem(Icons.Machine, if (standing.tone == Tone.Plain || standing.tone == Tone.Good) null else standing.tone)
            Column(Modifier.weight(1f), Arrangement.spacedBy(4.dp)) {
                FlowRow(
                    Modifier.fillMaxWidth(),
                    Arrangement.SpaceBetween,
                    Arrangement.spacedBy(4.dp),
                    Alignment.CenterVertically,
                ) {
                    Text(machine.name, style = MaterialTheme.typography.titleMedium)
                    Tag(stringResource(machine.role.word))
                }
                Status(standing.word, standing.more, standing.tone)
                machine.endsSoon?.let { ends ->
                    Text(
                        stringResource(R.string.session_ends, day(ends)),
                        style = MaterialTheme.typography.bodyMedium,
                        color = Tone.Warn.colour(),
                    )
                }
            }
        }
    }
}

/** A dot, a word and more about it. */
@Composable
internal fun Status(word: String, more: String?, tone: Tone) {
    // In the middle of the first line, however large its letters are.
    val (above, across) = with(LocalDensity.current) { 6.sp.toDp() to 9.sp.toDp() }
    Row(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
        Box(Modifier.padding(top = above).size(across).clip(CircleShape).background(tone.colour()))
        Text(
            if (more == null) word else stringResource(R.string.status_and_more, word, more),
            style = MaterialTheme.typography.bodyMedium,
            color = if (tone == Tone.Plain) MaterialTheme.colorScheme.onSurfaceVariant else tone.colour(),
        )
    }
}

@Composable
private fun ColumnScope.Teaching() {
    Column(
        Modifier.fillMaxWidth().padding(top = 24.dp, bottom = 8.dp),
        Arrangement.spacedBy(16.dp),
        Alignment.CenterHorizontally,
    ) {
        Pair()
        Text(
            stringResource(R.string.machines_empty_title),
            Modifier.semantics { heading() },
            style = MaterialTheme.typography.headlineSmall,
            textAlign = TextAlign.Center,
        )
        Text(
            stringResource(R.string.machines_empty_text),
            style = MaterialTheme.typography.bodyLarge,
            color = MaterialTheme.colorScheme.onSurfaceVariant,
            textAlign = TextAlign.Center,
        )
    }
    Card {
        Column(Modifier.padding(16.dp), Arrangement.spacedBy(18.dp)) {
            Step(R.string.step_1, R.string.machines_step_serve) { Command(stringResource(R.string.command_serve)) }
            Step(R.string.step_2, R.string.machines_step_shows) {}
            Step(R.string.step_3, R.string.machines_step_scan) {}
        }
    }
}

/** A phone and a machine, and what holds them together. */
@Composable
private fun Pair() {
    Row(horizontalArrangement = Arrangement.spacedBy(6.dp), verticalAlignment = Alignment.CenterVertically) {
        Emblem(Icons.Phone, large = true)
        repeat(3) {
            Box(Modifier.size(6.dp).clip(CircleShape).background(MaterialTheme.colorScheme.primary))
        }
        Emblem(Icons.Machine, large = true)
    }
}

@Composable
private fun Step(number: Int, text: Int, more: @Composable () -> Unit) {
    Row(horizontalArrangement = Arrangement.spacedBy(14.dp)) {
        Text(
            stringResource(number),
            Modifier
                .clip(CircleShape)
                .background(Tone.Plain.container())
                .padding(horizontal = 10.dp, vertical = 3.dp),
            style = MaterialTheme.typography.labelLarge,
        )
        Column(verticalArrangement = Arrangement.spacedBy(8.dp)) {
            Text(stringResource(text), style = MaterialTheme.typography.bodyLarge)
            more()
        }
    }
}

@Composable
private fun EmptyActions(can: MachinesActions) {
    MainButton(stringResource(R.string.machines_scan), can.scan, Icons.Scan)
    OtherButton(stringResource(R.string.machines_type_code), can.typeCode, Icons.Keyboard)
}
