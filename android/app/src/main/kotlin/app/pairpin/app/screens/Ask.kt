// A question of somebody at a machine, with its three kinds of facts, and the yes or no.
package app.pairpin.app.screens

import androidx.compose.foundation.BorderStroke
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ColumnScope
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.material3.Icon
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Surface
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import androidx.compose.ui.draw.drawBehind
import androidx.compose.ui.geometry.CornerRadius
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.graphics.PathEffect
import androidx.compose.ui.graphics.drawscope.Stroke
import androidx.compose.ui.graphics.vector.ImageVector
import androidx.compose.ui.res.pluralStringResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.unit.dp
import app.pairpin.app.R
import app.pairpin.app.parts.Banner
import app.pairpin.app.parts.Fact
import app.pairpin.app.parts.MainButton
import app.pairpin.app.parts.OtherButton
import app.pairpin.app.parts.ScreenFrame
import app.pairpin.app.parts.Tone
import app.pairpin.app.parts.colour
import app.pairpin.app.texts.text
import app.pairpin.app.texts.why
import app.pairpin.app.theme.Icons
import app.pairpin.app.theme.signals
import app.pairpin.core.InboxItem
import app.pairpin.core.KnownFacts
import app.pairpin.core.ObservedFacts
import app.pairpin.core.Request
import app.pairpin.shell.Hint

@Composable
internal fun AskContent(item: InboxItem, ask: Request.Ask, hint: Hint?, busy: Boolean, can: RequestActions) {
    val whyNot = item.whyNot
    ScreenFrame(
        stringResource(R.string.ask_title, item.machine),
        can.back,
        end =
            if (whyNot != null) null
            else ({
                MainButton(stringResource(R.string.ask_yes), can.yes, Icons.Check, busy = busy)
                OtherButton(stringResource(R.string.ask_no), { can.no(null) }, Icons.Close, enabled = !busy, danger = true)
            }),
    ) {
        hint?.let { HintBanner(it) }
        whyNot?.let { Banner(Tone.Warn, stringResource(R.string.request_cannot), why(it).text()) }
        Text(
            timeLeft(item.until),
            style = MaterialTheme.typography.bodyMedium,
            color = Tone.Warn.colour(),
        )
        Claimed {
            Text(
                ask.claimed.text,
                Modifier.padding(horizontal = 16.dp).semantics { heading() },
                style = MaterialTheme.typography.headlineSmall,
            )
            ask.claimed.detail?.let {
                Text(it, Modifier.padding(horizontal = 16.dp), style = MaterialTheme.typography.bodyLarge)
            }
        }
        Known(ask.known)
        Observed(ask.observed)
    }
}

/** What is merely said: in a broken line. */
@Composable
private fun Claimed(content: @Composable ColumnScope.() -> Unit) {
    val line = MaterialTheme.colorScheme.outline
    Column(
        Modifier
            .fillMaxWidth()
            .drawBehind {
                drawRoundRect(
                    line,
                    cornerRadius = CornerRadius(16.dp.toPx()),
                    style =
                        Stroke(1.5.dp.toPx(), pathEffect = PathEffect.dashPathEffect(floatArrayOf(7.dp.toPx(), 5.dp.toPx()))),
                )
            }.padding(vertical = 14.dp),
        Arrangement.spacedBy(10.dp),
    ) {
        Kind(Icons.Speech, R.string.facts_claimed, R.string.facts_claimed_means, MaterialTheme.colorScheme.onSurfaceVariant)
        content()
    }
}

/** What the machine's kernel vouches for: on a ground of its own. */
@Composable
private fun Known(known: KnownFacts) {
    Surface(Modifier.fillMaxWidth(), MaterialTheme.shapes.medium, MaterialTheme.signals.goodContainer) {
        Column(Modifier.padding(vertical = 14.dp)) {
            Kind(Icons.Shield, R.string.facts_known, R.string.facts_known_means, MaterialTheme.signals.good)
            val user = known.user
            Fact(
                stringResource(R.string.fact_user),
                if (user == null) stringResource(R.string.fact_uid, known.uid.toString())
                else stringResource(R.string.fact_user_and_uid, user, known.uid.toString()),
            )
            known.process?.let { Fact(stringResource(R.string.fact_process), it.toString(), mono = true) }
        }
    }
}

/** What the machine saw of a process, which can choose all of it: in a plain frame. */
@Composable
private fun Observed(observed: ObservedFacts) {
    Surface(
        Modifier.fillMaxWidth(),
        MaterialTheme.shapes.medium,
        Color.Transparent,
        border = BorderStroke(1.dp, MaterialTheme.colorScheme.outline),
    ) {
        Column(Modifier.padding(vertical = 14.dp)) {
            Kind(Icons.Eye, R.string.facts_observed, R.string.facts_observed_means, MaterialTheme.colorScheme.onSurfaceVariant)
            Fact(
                stringResource(R.string.fact_executable),
                observed.executable ?: stringResource(R.string.fact_not_seen),
                mono = observed.executable != null,
            )
            Fact(
                stringResource(R.string.fact_arguments),
                observed.arguments.joinToString(" "),
                mono = true,
                note =
                    observed.argumentsLeftOut.toInt().takeIf { it > 0 }?.let {
                        pluralStringResource(R.plurals.fact_arguments_more, it, it)
                    },
            )
            observed.directory?.let { Fact(stringResource(R.string.fact_directory), it, mono = true) }
        }
    }
}

@Composable
internal fun Kind(icon: ImageVector, title: Int, means: Int, colour: Color) {
    Row(Modifier.padding(horizontal = 16.dp), Arrangement.spacedBy(10.dp)) {
        Icon(icon, null, tint = colour)
        Column {
            Text(stringResource(title), style = MaterialTheme.typography.titleSmall, color = colour)
            Text(
                stringResource(means),
                style = MaterialTheme.typography.bodySmall,
                color = MaterialTheme.colorScheme.onSurfaceVariant,
            )
        }
    }
}
