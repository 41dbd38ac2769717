// How a machine stands, in a word and a line, with the tone it is said in.
package app.pairpin.app.texts

import androidx.compose.runtime.Composable
import androidx.compose.ui.graphics.vector.ImageVector
import androidx.compose.ui.res.stringResource
import app.pairpin.app.R
import app.pairpin.app.parts.Tone
import app.pairpin.app.theme.Icons
import app.pairpin.core.MachineCondition

/** A condition as it is shown. */
data class Standing(val word: String, val more: String?, val tone: Tone, val icon: ImageVector)

/** The words for a condition. */
@Composable
fun standing(condition: MachineCondition): Standing =
    when (condition) {
        is MachineCondition.Unfinished ->
            Standing(stringResource(R.string.unfinished), stringResource(R.string.unfinished_more), Tone.Warn, Icons.Warning)
        is MachineCondition.Connecting -> Standing(stringResource(R.string.connecting), null, Tone.Plain, Icons.Clock)
        is MachineCondition.Online ->
            Standing(stringResource(R.string.online), stringResource(condition.kind.word), Tone.Good, Icons.Check)
        is MachineCondition.Offline ->
            Standing(
                stringResource(R.string.offline),
                condition.since?.let { stringResource(R.string.since, moment(it)) } ?: stringResource(R.string.never_online),
                Tone.Plain,
                Icons.Offline,
            )
        is MachineCondition.Leaving ->
            Standing(stringResource(R.string.leaving), stringResource(R.string.leaving_more), Tone.Plain, Icons.Clock)
        is MachineCondition.Forgotten -> Standing(stringResource(R.string.forgotten), null, Tone.Plain, Icons.Check)
        is MachineCondition.Paused ->
            Standing(stringResource(R.string.paused), stringResource(R.string.paused_more), Tone.Plain, Icons.Clock)
        is MachineCondition.Revoked ->
            Standing(stringResource(R.string.revoked), byAndWhen(condition.by, condition.at), Tone.Bad, Icons.Stop)
        is MachineCondition.KeyChanged ->
            Standing(stringResource(R.string.key_changed), stringResource(R.string.key_changed_more), Tone.Bad, Icons.Stop)
        is MachineCondition.KeyCopied ->
            Standing(stringResource(R.string.key_copied), stringResource(R.string.key_copied_more), Tone.Bad, Icons.Stop)
        is MachineCondition.Suspended ->
            Standing(
                stringResource(R.string.suspended),
                condition.at?.let { stringResource(R.string.since, moment(it)) },
                Tone.Warn,
                Icons.Warning,
            )
        is MachineCondition.Expired ->
            Standing(stringResource(R.string.expired), stringResource(R.string.expired_more), Tone.Warn, Icons.Warning)
        is MachineCondition.Lost ->
            Standing(stringResource(R.string.lost), stringResource(R.string.lost_more), Tone.Warn, Icons.Warning)
        is MachineCondition.KeysGone ->
            Standing(stringResource(R.string.keys_gone), stringResource(R.string.keys_gone_more), Tone.Warn, Icons.Key)
        is MachineCondition.Broken -> Standing(stringResource(R.string.broken), condition.why, Tone.Bad, Icons.Warning)
    }

/** Whether looking at it means to stop first. */
val MachineCondition.isHardStop: Boolean
    get() = this is MachineCondition.KeyChanged || this is MachineCondition.KeyCopied

@Composable
private fun byAndWhen(by: String?, at: Long?): String? =
    when {
        by != null && at != null -> stringResource(R.string.by_and_when, by, dayAndTime(at))
        by != null -> stringResource(R.string.by, by)
        at != null -> dayAndTime(at)
        else -> null
    }
