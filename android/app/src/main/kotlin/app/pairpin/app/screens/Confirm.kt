// Pair? What the machine is, what it would allow, and whether its key is the one on its own screen. Nothing is paired
// before the person says so here, however the link came.
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
import androidx.compose.ui.graphics.vector.ImageVector
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.unit.dp
import app.pairpin.app.R
import app.pairpin.app.parts.Banner
import app.pairpin.app.parts.Card
import app.pairpin.app.parts.DigitsShown
import app.pairpin.app.parts.Emblem
import app.pairpin.app.parts.Fact
import app.pairpin.app.parts.FingerprintFact
import app.pairpin.app.parts.Line
import app.pairpin.app.parts.MainButton
import app.pairpin.app.parts.Middle
import app.pairpin.app.parts.OtherButton
import app.pairpin.app.parts.ScreenFrame
import app.pairpin.app.parts.Ticked
import app.pairpin.app.parts.Tone
import app.pairpin.app.texts.advice
import app.pairpin.app.texts.meaning
import app.pairpin.app.texts.text
import app.pairpin.app.texts.word
import app.pairpin.app.theme.Icons
import app.pairpin.core.PairPreview
import app.pairpin.core.PairQuestion
import app.pairpin.core.Paired
import app.pairpin.core.PairpinException
import app.pairpin.shell.PairingScreen

/** What can be done about a pairing. */
data class ConfirmActions(
    val pair: () -> Unit = {},
    val again: () -> Unit = {},
    val leave: () -> Unit = {},
    val done: () -> Unit = {},
)

/** The question whether to pair, and what came of it. */
@Composable
fun ConfirmContent(state: PairingScreen, can: ConfirmActions) {
    when (state) {
        is PairingScreen.Looking, is PairingScreen.Asking -> Asking(can.leave)
        is PairingScreen.Confirming -> Question(state.preview, busy = false, can)
        is PairingScreen.Working -> Question(state.preview, busy = true, can)
        is PairingScreen.Done -> PairedContent(state.paired, can.done)
        is PairingScreen.Failed -> Failed(state.error, state.again, can)
    }
}

@Composable
private fun Asking(leave: () -> Unit) {
    ScreenFrame(stringResource(R.string.confirm_title), leave, leaving = true) {
        Middle {
            CircularProgressIndicator()
            Text(stringResource(R.string.confirm_asking), style = MaterialTheme.typography.bodyLarge, textAlign = TextAlign.Center)
        }
    }
}

@Composable
private fun Question(preview: PairPreview, busy: Boolean, can: ConfirmActions) {
    val question = preview.question
    // Another key than the one it was known by: only somebody who has compared it may go on.
    val careful = question is PairQuestion.ReplaceKey || question is PairQuestion.OtherMachine
    var compared by rememberSaveable { mutableStateOf(false) }
    ScreenFrame(
        stringResource(R.string.confirm_title),
        can.leave,
        leaving = true,
        end = {
            if (careful) Ticked(stringResource(R.string.confirm_compared), compared) { compared = it }
            MainButton(
                stringResource(if (careful) R.string.confirm_pair_anyway else R.string.confirm_pair),
                can.pair,
                enabled = compared || !careful,
                busy = busy,
                danger = careful,
            )
            OtherButton(stringResource(R.string.confirm_not), can.leave)
        },
    ) {
        Column(
            Modifier.fillMaxWidth().padding(top = 8.dp),
            Arrangement.spacedBy(8.dp),
            Alignment.CenterHorizontally,
        ) {
            Emblem(Icons.Machine, if (careful) Tone.Bad else null, large = true)
            Text(
                stringResource(R.string.confirm_question, preview.name),
                Modifier.semantics { heading() },
                style = MaterialTheme.typography.headlineSmall,
                textAlign = TextAlign.Center,
            )
            Text(
                preview.platform,
                style = MaterialTheme.typography.bodyMedium,
                color = MaterialTheme.colorScheme.onSurfaceVariant,
            )
        }
        Remark(preview.name, question)
        Card {
            FingerprintFact(stringResource(R.string.confirm_fingerprint), preview.fingerprint)
            if (question is PairQuestion.ReplaceKey) {
                Line()
                FingerprintFact(
                    stringResource(R.string.confirm_old_fingerprint, question.knownAs),
                    question.oldFingerprint,
                    MaterialTheme.colorScheme.error,
                )
            }
        }
        Card {
            Fact(
                stringResource(R.string.address),
                preview.address,
                mono = true,
                note = stringResource(preview.kind.word),
            )
            Line()
            Fact(
                stringResource(R.string.confirm_role),
                stringResource(preview.role.word),
                note = stringResource(preview.role.meaning),
            )
        }
    }
}

@Composable
private fun Remark(name: String, question: PairQuestion) {
    when (question) {
        is PairQuestion.New, is PairQuestion.AlreadyPaired ->
            Text(
                stringResource(R.string.confirm_compare, name),
                style = MaterialTheme.typography.bodyMedium,
                color = MaterialTheme.colorScheme.onSurfaceVariant,
            )
        is PairQuestion.Again ->
            Banner(
                Tone.Plain,
                stringResource(R.string.confirm_again, question.knownAs),
                stringResource(R.string.confirm_again_text),
                Icons.Check,
            )
        is PairQuestion.ReplaceKey ->
            Banner(
                Tone.Bad,
                stringResource(R.string.confirm_replace, question.knownAs),
                stringResource(R.string.confirm_replace_text),
            )
        is PairQuestion.OtherMachine ->
            Banner(
                Tone.Bad,
                stringResource(R.string.confirm_other, question.knownAs),
                stringResource(R.string.confirm_other_text, question.knownAs),
            )
    }
}

/** Paired: the digits stand on the machine too. */
@Composable
internal fun PairedContent(paired: Paired, done: () -> Unit) {
    ScreenFrame(
        stringResource(R.string.paired_title),
        end = { MainButton(stringResource(R.string.done), done) },
    ) {
        Headline(Icons.Check, Tone.Good, stringResource(R.string.paired_with, paired.machine.name))
        val digits = paired.digits
        if (digits != null) {
            Text(
                stringResource(R.string.paired_digits, paired.machine.name),
                Modifier.fillMaxWidth(),
                style = MaterialTheme.typography.bodyLarge,
                textAlign = TextAlign.Center,
            )
            DigitsShown(digits)
            Text(
                stringResource(R.string.paired_digits_differ),
                Modifier.fillMaxWidth(),
                style = MaterialTheme.typography.bodyMedium,
                color = MaterialTheme.colorScheme.onSurfaceVariant,
                textAlign = TextAlign.Center,
            )
        }
        paired.revokedBeforeBy?.let { Banner(Tone.Plain, stringResource(R.string.paired_was_revoked, it)) }
    }
}

/** The picture and the sentence that a screen is about. */
@Composable
internal fun Headline(icon: ImageVector, tone: Tone?, text: String) {
    Column(
        Modifier.fillMaxWidth().padding(vertical = 16.dp),
        Arrangement.spacedBy(14.dp),
        Alignment.CenterHorizontally,
    ) {
        Emblem(icon, tone, large = true)
        Text(
            text,
            Modifier.semantics { heading() },
            style = MaterialTheme.typography.headlineSmall,
            textAlign = TextAlign.Center,
        )
    }
}

@Composable
private fun Failed(error: PairpinException, again: Boolean, can: ConfirmActions) {
    val advice = advice(error)
    ScreenFrame(
        stringResource(R.string.confirm_title),
        can.leave,
        leaving = true,
        end = {
            if (again) MainButton(stringResource(R.string.try_again), can.again)
            OtherButton(stringResource(R.string.back), can.leave)
        },
    ) {
        Headline(Icons.Warning, Tone.Warn, advice.cause.text())
        Text(
            advice.step.text(),
            Modifier.fillMaxWidth(),
            style = MaterialTheme.typography.bodyLarge,
            textAlign = TextAlign.Center,
        )
        advice.detail?.let { Card { Fact(stringResource(R.string.details), it.text()) } }
    }
}
