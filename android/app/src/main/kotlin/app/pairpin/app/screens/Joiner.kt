// A device that asks to be let in: who it says it is, where it asks from, and the proof that it is the one in front of
// the person: its QR, or the seven digits on its screen.
package app.pairpin.app.screens

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.padding
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.input.KeyboardType
import androidx.compose.ui.unit.dp
import app.pairpin.app.R
import app.pairpin.app.parts.Banner
import app.pairpin.app.parts.Card
import app.pairpin.app.parts.Fact
import app.pairpin.app.parts.GroupTitle
import app.pairpin.app.parts.Leads
import app.pairpin.app.parts.Line
import app.pairpin.app.parts.MainButton
import app.pairpin.app.parts.OneOf
import app.pairpin.app.parts.OtherButton
import app.pairpin.app.parts.ScreenFrame
import app.pairpin.app.parts.Tone
import app.pairpin.app.parts.Typed
import app.pairpin.app.parts.colour
import app.pairpin.app.texts.deviceIcon
import app.pairpin.app.texts.meaning
import app.pairpin.app.texts.text
import app.pairpin.app.texts.why
import app.pairpin.app.texts.word
import app.pairpin.app.theme.Icons
import app.pairpin.app.theme.Mono
import app.pairpin.core.And
import app.pairpin.core.InboxItem
import app.pairpin.core.Request
import app.pairpin.core.RoleName
import app.pairpin.core.Terms
import app.pairpin.shell.Hint

@Composable
internal fun JoinerContent(
    item: InboxItem,
    join: Request.Join,
    scanned: Boolean,
    hint: Hint?,
    busy: Boolean,
    can: RequestActions,
) {
    var number by rememberSaveable { mutableStateOf("") }
    var role by rememberSaveable { mutableStateOf(RoleName.OPERATOR) }
    var name by rememberSaveable { mutableStateOf(join.name) }
    val terms = Terms(role, name.trim().ifEmpty { null }, null)
    val decidable = item.whyNot == null && join.revokedBy == null
    ScreenFrame(
        stringResource(R.string.joiner_title, item.machine),
        can.back,
        end = {
            if (decidable && (scanned || join.byNumber)) {
                MainButton(
                    stringResource(R.string.joiner_let_in),
                    { if (scanned) can.letIn(terms) else can.letInByNumber(number, terms) },
                    Icons.Check,
                    enabled = scanned || number.isNotBlank(),
                    busy = busy,
                )
            }
            if (item.whyNot == null) {
                OtherButton(stringResource(R.string.joiner_deny), { can.no(null) }, Icons.Close, enabled = !busy, danger = true)
            }
        },
    ) {
        hint?.let { HintBanner(it) }
        item.whyNot?.let { Banner(Tone.Warn, stringResource(R.string.request_cannot), why(it).text()) }
        join.revokedBy?.let {
            Banner(Tone.Bad, stringResource(R.string.joiner_revoked, it), stringResource(R.string.joiner_revoked_step))
        }
        Headline(deviceIcon(join.platform), null, stringResource(R.string.join_wants_in, join.name))
        Text(timeLeft(item.until), style = MaterialTheme.typography.bodyMedium, color = Tone.Warn.colour())
        From(join)
        if (decidable) {
            Proof(scanned, join.byNumber, number, { number = it }, busy, can.scan)
            GroupTitle(stringResource(R.string.joiner_terms))
            OneOf(
                RoleName.entries,
                role,
                { role = it },
                { stringResource(it.word) },
                { stringResource(it.meaning) },
            )
            Typed(name, { name = it }, stringResource(R.string.joiner_name), stringResource(R.string.joiner_name_note), enabled = !busy, done = {})
        }
        if (item.whyNot == null) {
            GroupTitle(stringResource(R.string.joiner_more))
            Card {
                Leads(
                    Icons.Stop,
                    stringResource(R.string.joiner_block),
                    { can.no(And.BLOCK_SOURCE) },
                    stringResource(R.string.joiner_block_note),
                    !busy,
                )
                Line()
                Leads(
                    Icons.Door,
                    stringResource(R.string.joiner_close),
                    { can.no(And.CLOSE_JOINING) },
                    stringResource(R.string.joiner_close_note),
                    !busy,
                )
            }
        }
    }
}

@Composable
private fun From(join: Request.Join) {
    Card {
        Column(Modifier.padding(vertical = 14.dp)) {
            Kind(Icons.Shield, R.string.facts_known, R.string.facts_known_join_means, Tone.Good.colour())
            Fact(
                stringResource(R.string.joiner_from),
                join.from,
                mono = true,
                note =
                    stringResource(
                        R.string.status_and_more,
                        stringResource(join.network.word),
                        stringResource(if (join.sameNetwork) R.string.joiner_same_network else R.string.joiner_other_network),
                    ),
            )
            Column(Modifier.padding(top = 8.dp)) {
                Kind(
                    Icons.Speech,
                    R.string.facts_claimed,
                    R.string.facts_claimed_join_means,
                    MaterialTheme.colorScheme.onSurfaceVariant,
                )
                Fact(stringResource(R.string.joiner_says), stringResource(R.string.status_and_more, join.name, join.platform))
            }
        }
    }
}

@Composable
private fun Proof(
    scanned: Boolean,
    byNumber: Boolean,
    number: String,
    change: (String) -> Unit,
    busy: Boolean,
    scan: () -> Unit,
) {
    GroupTitle(stringResource(R.string.joiner_proof))
    if (scanned) {
        Banner(Tone.Good, stringResource(R.string.joiner_scanned), stringResource(R.string.joiner_scanned_text))
        return
    }
    if (byNumber) {
        Column(verticalArrangement = Arrangement.spacedBy(4.dp)) {
            Text(stringResource(R.string.joiner_number_text), style = MaterialTheme.typography.bodyLarge)
            Typed(
                number,
                change,
                stringResource(R.string.joiner_number),
                stringResource(R.string.joiner_number_note),
                KeyboardType.Number,
                style = Mono,
                enabled = !busy,
                done = {},
            )
        }
    }
    Card {
        Leads(
            Icons.Scan,
            stringResource(R.string.joiner_scan),
            scan,
            stringResource(if (byNumber) R.string.joiner_scan_note else R.string.joiner_scan_only_note),
            !busy,
        )
    }
}
