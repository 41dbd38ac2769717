// One machine: how it stands, what this phone is to it, and what can be done with it.
package app.pairpin.app.screens

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.padding
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
import androidx.compose.ui.unit.dp
import app.pairpin.app.R
import app.pairpin.app.parts.Banner
import app.pairpin.app.parts.Card
import app.pairpin.app.parts.Emblem
import app.pairpin.app.parts.Fact
import app.pairpin.app.parts.FingerprintFact
import app.pairpin.app.parts.GroupTitle
import app.pairpin.app.parts.Leads
import app.pairpin.app.parts.Line
import app.pairpin.app.parts.MainButton
import app.pairpin.app.parts.OtherButton
import app.pairpin.app.parts.ScreenFrame
import app.pairpin.app.parts.Tone
import app.pairpin.app.parts.Typed
import app.pairpin.app.texts.advice
import app.pairpin.app.texts.ago
import app.pairpin.app.texts.day
import app.pairpin.app.texts.dayAndTime
import app.pairpin.app.texts.standing
import app.pairpin.app.texts.text
import app.pairpin.app.texts.why
import app.pairpin.app.texts.word
import app.pairpin.app.theme.Icons
import app.pairpin.core.ActionView
import app.pairpin.core.Forgotten
import app.pairpin.core.Hindrance
import app.pairpin.core.MachineCondition
import app.pairpin.core.MachineView
import app.pairpin.core.PairpinException
import app.pairpin.core.Possible
import app.pairpin.shell.MachineScreen
import app.pairpin.shell.MachineStep

/** What can be done with a machine. */
data class MachineActions(
    val back: () -> Unit = {},
    val inbox: () -> Unit = {},
    val devices: () -> Unit = {},
    val invite: () -> Unit = {},
    val scan: () -> Unit = {},
    val rename: () -> Unit = {},
    val renamed: (String) -> Unit = {},
    val forget: () -> Unit = {},
    val forgetForSure: () -> Unit = {},
    val changedMind: () -> Unit = {},
    val hardStop: () -> Unit = {},
)

/** A machine. */
@Composable
fun MachineContent(state: MachineScreen, can: MachineActions) {
    when (state) {
        is MachineScreen.Shown ->
            when (state.step) {
                MachineStep.Looking -> Looking(state.machine, state.problem, busy = false, can)
                MachineStep.Working -> Looking(state.machine, state.problem, busy = true, can)
                MachineStep.Renaming -> Renaming(state.machine, state.problem, can)
                MachineStep.AskedToForget -> Forgetting(state.machine, can)
            }
        is MachineScreen.Over -> Over(state.forgotten, can.back)
        is MachineScreen.Gone -> Gone(can.back)
    }
}

@Composable
private fun Looking(machine: MachineView, problem: PairpinException?, busy: Boolean, can: MachineActions) {
    ScreenFrame(machine.name, can.back) {
        problem?.let { Problem(it) }
        About(machine, can)
        GroupTitle(stringResource(R.string.machine_actions))
        Card {
            val shown = machine.actions.filter { it.whyNot !is Hindrance.NotNeeded }
            shown.forEachIndexed { at, possible ->
                if (at > 0) Line()
                Action(possible, busy, can)
            }
        }
        GroupTitle(stringResource(R.string.machine_about))
        Details(machine)
    }
}

@Composable
internal fun Problem(error: PairpinException) {
    val advice = advice(error)
    Banner(Tone.Warn, advice.cause.text(), advice.step.text())
}

@Composable
private fun About(machine: MachineView, can: MachineActions) {
    val standing = standing(machine.condition)
    val condition = machine.condition
    if (standing.tone == Tone.Bad || standing.tone == Tone.Warn) {
        Banner(standing.tone, standing.word, standing.more) {
            Column(Modifier.padding(top = 4.dp), Arrangement.spacedBy(8.dp)) {
                for (more in moreOf(condition)) Text(more, style = MaterialTheme.typography.bodyMedium)
                if (condition is MachineCondition.KeyChanged || condition is MachineCondition.KeyCopied) {
                    MainButton(stringResource(R.string.hard_stop_look), can.hardStop, danger = true)
                }
            }
        }
    } else {
        Card {
            Row(Modifier.padding(16.dp), Arrangement.spacedBy(14.dp), Alignment.CenterVertically) {
                Emblem(Icons.Machine)
                Column(Modifier.weight(1f), Arrangement.spacedBy(2.dp)) {
                    Text(machine.platform, style = MaterialTheme.typography.titleMedium)
                    Status(standing.word, standing.more, standing.tone)
                }
            }
        }
        if (condition is MachineCondition.Offline) {
            condition.why?.let { Banner(Tone.Plain, stringResource(R.string.offline_why), it) }
        }
    }
    machine.endsSoon?.let {
        Banner(
            Tone.Warn,
            stringResource(R.string.session_ends, day(it)),
            stringResource(R.string.session_ends_step),
            Icons.Clock,
        )
    }
}

@Composable
private fun moreOf(condition: MachineCondition): List<String> =
    when (condition) {
        is MachineCondition.Revoked ->
            listOfNotNull(
                condition.reason?.let { stringResource(R.string.reason_given, it) },
                stringResource(R.string.revoked_step),
            )
        is MachineCondition.Suspended ->
            listOfNotNull(
                condition.reason?.let { stringResource(R.string.reason_given, it) },
                stringResource(R.string.suspended_step),
            )
        is MachineCondition.Expired, is MachineCondition.Lost, is MachineCondition.Unfinished ->
            listOf(stringResource(R.string.pair_again_step))
        is MachineCondition.KeysGone -> listOf(stringResource(R.string.keys_gone_step))
        else -> emptyList()
    }

@Composable
private fun Action(possible: Possible, busy: Boolean, can: MachineActions) {
    val whyNot = possible.whyNot?.let { why(it).text() }
    val free = whyNot == null && !busy
    when (possible.action) {
        ActionView.ANSWER -> Leads(Icons.Inbox, stringResource(R.string.inbox_title), can.inbox, whyNot, free)
        ActionView.DEVICES -> Leads(Icons.Devices, stringResource(R.string.devices_title), can.devices, whyNot, free)
        ActionView.DECIDE -> Leads(Icons.Plus, stringResource(R.string.invite_title), can.invite, whyNot, free)
        ActionView.SCAN_AGAIN -> Leads(Icons.Scan, stringResource(R.string.machine_scan_again), can.scan, whyNot, free)
        ActionView.RENAME -> Leads(Icons.Edit, stringResource(R.string.rename), can.rename, whyNot, free)
        ActionView.FORGET -> Leads(Icons.Trash, stringResource(R.string.forget), can.forget, whyNot, free, danger = true)
    }
}

@Composable
private fun Details(machine: MachineView) {
    Card {
        Fact(stringResource(R.string.machine_role), stringResource(machine.role.word))
        Line()
        Fact(stringResource(R.string.machine_lists_as), machine.deviceName)
        (machine.condition as? MachineCondition.Online)?.let {
            Line()
            Fact(stringResource(R.string.address), it.address, mono = true, note = stringResource(it.kind.word))
        }
        if (machine.machineName != machine.name) {
            Line()
            Fact(stringResource(R.string.machine_own_name), machine.machineName)
        }
        machine.pairedAt?.let {
            Line()
            Fact(stringResource(R.string.machine_paired), dayAndTime(it))
        }
        machine.lastOnline?.let {
            Line()
            Fact(stringResource(R.string.machine_last_online), ago(it))
        }
        machine.expiresAt?.let {
            Line()
            Fact(stringResource(R.string.machine_expires), day(it))
        }
        Line()
        Fact(stringResource(R.string.machine_keys), stringResource(machine.keys.word))
        Line()
        FingerprintFact(stringResource(R.string.key_fingerprint), machine.fingerprint)
    }
}

@Composable
private fun Renaming(machine: MachineView, problem: PairpinException?, can: MachineActions) {
    var name by rememberSaveable { mutableStateOf(machine.name) }
    ScreenFrame(
        stringResource(R.string.rename),
        can.changedMind,
        leaving = true,
        end = { MainButton(stringResource(R.string.save), { can.renamed(name) }) },
    ) {
        problem?.let { Problem(it) }
        Text(stringResource(R.string.rename_text), style = MaterialTheme.typography.bodyLarge)
        Typed(
            name,
            { name = it },
            stringResource(R.string.name),
            wrong = problem != null,
            done = { can.renamed(name) },
        )
    }
}

@Composable
private fun Forgetting(machine: MachineView, can: MachineActions) {
    ScreenFrame(
        stringResource(R.string.forget),
        can.changedMind,
        leaving = true,
        end = {
            MainButton(stringResource(R.string.forget_for_sure), can.forgetForSure, Icons.Trash, danger = true)
            OtherButton(stringResource(R.string.cancel), can.changedMind)
        },
    ) {
        Headline(Icons.Trash, Tone.Bad, stringResource(R.string.forget_question, machine.name))
        Text(stringResource(R.string.forget_text), style = MaterialTheme.typography.bodyLarge)
        if (machine.condition !is MachineCondition.Online) {
            Banner(Tone.Plain, stringResource(R.string.forget_away), stringResource(R.string.forget_away_text), Icons.Clock)
        }
    }
}

@Composable
private fun Over(forgotten: Forgotten, back: () -> Unit) {
    ScreenFrame(
        stringResource(R.string.forget),
        end = { MainButton(stringResource(R.string.done), back) },
    ) {
        Headline(Icons.Check, Tone.Good, stringResource(R.string.forgotten_name, forgotten.name))
        if (forgotten.stillListed != null) {
            Banner(
                Tone.Warn,
                stringResource(R.string.forgotten_still_listed, forgotten.name),
                stringResource(R.string.forgotten_still_listed_step),
            )
        }
        if (forgotten.lastOwner) {
            Banner(
                Tone.Warn,
                stringResource(R.string.forgotten_last_owner, forgotten.name),
                stringResource(R.string.forgotten_last_owner_step),
            )
        }
    }
}

@Composable
private fun Gone(back: () -> Unit) {
    ScreenFrame(stringResource(R.string.machines_title), back) {
        Headline(Icons.Machine, Tone.Plain, stringResource(R.string.machine_gone))
    }
}
