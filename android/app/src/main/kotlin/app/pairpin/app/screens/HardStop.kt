// Hard stop: a machine that proves another key, or its key without what it gave this phone. No button here believes it:
// its offer has to be scanned from its own screen.
package app.pairpin.app.screens

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.padding
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.unit.dp
import app.pairpin.app.R
import app.pairpin.app.parts.Card
import app.pairpin.app.parts.Command
import app.pairpin.app.parts.FingerprintFact
import app.pairpin.app.parts.GroupTitle
import app.pairpin.app.parts.Line
import app.pairpin.app.parts.MainButton
import app.pairpin.app.parts.OtherButton
import app.pairpin.app.parts.ScreenFrame
import app.pairpin.app.parts.Tone
import app.pairpin.app.theme.Icons
import app.pairpin.core.ActionView
import app.pairpin.core.MachineView
import app.pairpin.shell.HardStopScreen

/** What can be done at a hard stop. */
data class HardStopActions(val back: () -> Unit = {}, val scan: () -> Unit = {}, val forget: () -> Unit = {})

/** The hard stop. */
@Composable
fun HardStopContent(state: HardStopScreen, can: HardStopActions) {
    when (state) {
        is HardStopScreen.Changed -> Stopped(state.machine, state.seen, can)
        is HardStopScreen.Copied -> Stopped(state.machine, null, can)
        is HardStopScreen.Over -> Resolved(can.back)
    }
}

@Composable
private fun Stopped(machine: MachineView, seen: String?, can: HardStopActions) {
    ScreenFrame(
        stringResource(R.string.hard_stop_title),
        can.back,
        end = {
            for (possible in machine.actions.filter { it.whyNot == null }) {
                when (possible.action) {
                    ActionView.SCAN_AGAIN -> MainButton(stringResource(R.string.hard_stop_scan), can.scan, Icons.Scan)
                    ActionView.FORGET -> OtherButton(stringResource(R.string.forget), can.forget, danger = true)
                    else -> Unit
                }
            }
        },
    ) {
        val headline = if (seen != null) R.string.hard_stop_changed else R.string.hard_stop_copied
        Headline(Icons.Stop, Tone.Bad, stringResource(headline, machine.name))
        Text(
            stringResource(if (seen != null) R.string.hard_stop_changed_text else R.string.hard_stop_copied_text),
            style = MaterialTheme.typography.bodyLarge,
        )
        Card {
            FingerprintFact(stringResource(R.string.hard_stop_known), machine.fingerprint)
            if (seen != null) {
                Line()
                FingerprintFact(stringResource(R.string.hard_stop_seen), seen, MaterialTheme.colorScheme.error)
            }
        }
        GroupTitle(stringResource(R.string.hard_stop_way_on))
        Card {
            Column(Modifier.padding(16.dp), Arrangement.spacedBy(12.dp)) {
                Text(stringResource(R.string.hard_stop_step_look), style = MaterialTheme.typography.bodyLarge)
                Command(stringResource(R.string.command_key_show))
                Text(stringResource(R.string.hard_stop_step_scan), style = MaterialTheme.typography.bodyLarge)
                Command(stringResource(R.string.command_pair))
            }
        }
    }
}

@Composable
private fun Resolved(back: () -> Unit) {
    ScreenFrame(
        stringResource(R.string.hard_stop_title),
        back,
        end = { MainButton(stringResource(R.string.done), back) },
    ) {
        Headline(Icons.Check, Tone.Good, stringResource(R.string.hard_stop_over))
    }
}
