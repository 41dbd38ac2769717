// Cards, and the lines in them.
package app.pairpin.app.parts

import androidx.compose.foundation.BorderStroke
import androidx.compose.foundation.background
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ColumnScope
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.selection.toggleable
import androidx.compose.foundation.shape.CircleShape
import androidx.compose.material3.HorizontalDivider
import androidx.compose.material3.Icon
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Surface
import androidx.compose.material3.Switch
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.draw.clip
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.graphics.vector.ImageVector
import androidx.compose.ui.semantics.Role
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.TextStyle
import androidx.compose.ui.unit.dp
import app.pairpin.app.theme.Icons
import app.pairpin.app.theme.Mono
import app.pairpin.app.theme.signals

/** A card; tapped as a whole where `open` is given. */
@Composable
fun Card(
    open: (() -> Unit)? = null,
    colour: Color = MaterialTheme.colorScheme.surfaceContainerLow,
    border: BorderStroke? = BorderStroke(1.dp, MaterialTheme.colorScheme.outlineVariant),
    content: @Composable ColumnScope.() -> Unit,
) {
    val shape = MaterialTheme.shapes.medium
    if (open == null) {
        Surface(Modifier.fillMaxWidth(), shape, colour, border = border) { Column(content = content) }
    } else {
        Surface(open, Modifier.fillMaxWidth(), shape = shape, color = colour, border = border) { Column(content = content) }
    }
}

/** What stands over a group of cards. */
@Composable
fun GroupTitle(text: String, icon: ImageVector? = null) {
    Row(
        Modifier.padding(top = 8.dp).semantics(mergeDescendants = true) { heading() },
        Arrangement.spacedBy(8.dp),
        Alignment.CenterVertically,
    ) {
        if (icon != null) Icon(icon, null, Modifier.size(18.dp), MaterialTheme.colorScheme.onSurfaceVariant)
        Text(text, style = MaterialTheme.typography.titleSmall, color = MaterialTheme.colorScheme.onSurfaceVariant)
    }
}

/** A fact: what it is, and under it what it says. */
@Composable
fun Fact(label: String, value: String, mono: Boolean = false, note: String? = null) {
    Column(
        Modifier.fillMaxWidth().padding(horizontal = 16.dp, vertical = 10.dp).semantics(mergeDescendants = true) {},
        Arrangement.spacedBy(2.dp),
    ) {
        Text(label, style = MaterialTheme.typography.bodySmall, color = MaterialTheme.colorScheme.onSurfaceVariant)
        Text(value, style = if (mono) Mono else MaterialTheme.typography.bodyLarge)
        if (note != null) {
            Text(note, style = MaterialTheme.typography.bodySmall, color = MaterialTheme.colorScheme.onSurfaceVariant)
        }
    }
}

/** A thin line between facts. */
@Composable
fun Line() = HorizontalDivider(Modifier.padding(horizontal = 16.dp), color = MaterialTheme.colorScheme.outlineVariant)

/** A line that leads somewhere; where it does not now, `why` says so. */
@Composable
fun Leads(
    icon: ImageVector,
    text: String,
    go: () -> Unit,
    why: String? = null,
    possible: Boolean = true,
    danger: Boolean = false,
    trailing: String? = null,
) {
    val scheme = MaterialTheme.colorScheme
    val colour =
        when {
            !possible -> scheme.onSurfaceVariant
            danger -> scheme.error
            else -> scheme.onSurface
        }
    Surface(go, enabled = possible, color = Color.Transparent, modifier = Modifier.fillMaxWidth()) {
        Row(
            Modifier.heightIn(min = 56.dp).padding(horizontal = 16.dp, vertical = 10.dp),
            Arrangement.spacedBy(16.dp),
            Alignment.CenterVertically,
        ) {
            Icon(icon, null, tint = colour)
            Column(Modifier.weight(1f)) {
                Text(text, style = MaterialTheme.typography.bodyLarge, color = colour)
                if (why != null) {
                    Text(why, style = MaterialTheme.typography.bodySmall, color = scheme.onSurfaceVariant)
                }
            }
            if (trailing != null) Text(trailing, style = MaterialTheme.typography.bodyMedium, color = scheme.onSurfaceVariant)
            if (possible) Icon(Icons.Forward, null, Modifier.size(20.dp), scheme.onSurfaceVariant)
        }
    }
}

/** A choice between on and off, with what it means. */
@Composable
fun OnOff(text: String, note: String, on: Boolean, set: (Boolean) -> Unit) {
    Row(
        Modifier
            .fillMaxWidth()
            .toggleable(on, role = Role.Switch, onValueChange = set)
            .heightIn(min = 56.dp)
            .padding(horizontal = 16.dp, vertical = 12.dp),
        Arrangement.spacedBy(16.dp),
        Alignment.CenterVertically,
    ) {
        Column(Modifier.weight(1f), Arrangement.spacedBy(2.dp)) {
            Text(text, style = MaterialTheme.typography.bodyLarge)
            Text(note, style = MaterialTheme.typography.bodyMedium, color = MaterialTheme.colorScheme.onSurfaceVariant)
        }
        Switch(on, onCheckedChange = null)
    }
}

/** How good or bad something is. Never by colour alone: an icon or a word says it as well. */
enum class Tone { Good, Plain, Warn, Bad }

/** The colour of text and lines in a tone. */
@Composable
fun Tone.colour(): Color =
    when (this) {
        Tone.Good -> MaterialTheme.signals.good
        Tone.Plain -> MaterialTheme.colorScheme.onSurfaceVariant
        Tone.Warn -> MaterialTheme.signals.warn
        Tone.Bad -> MaterialTheme.colorScheme.error
    }

/** The colour behind text in a tone. */
@Composable
fun Tone.container(): Color =
    when (this) {
        Tone.Good -> MaterialTheme.signals.goodContainer
        Tone.Plain -> MaterialTheme.colorScheme.surfaceContainerHigh
        Tone.Warn -> MaterialTheme.signals.warnContainer
        Tone.Bad -> MaterialTheme.colorScheme.errorContainer
    }

/** Something to be read before anything else: what it is, what to do, and perhaps the way there. */
@Composable
fun Banner(tone: Tone, title: String, text: String? = null, icon: ImageVector = iconOf(tone), action: (@Composable () -> Unit)? = null) {
    Surface(Modifier.fillMaxWidth(), MaterialTheme.shapes.medium, tone.container(), MaterialTheme.colorScheme.onSurface) {
        Row(Modifier.padding(16.dp), Arrangement.spacedBy(12.dp)) {
            Icon(icon, null, tint = tone.colour())
            Column(Modifier.weight(1f), Arrangement.spacedBy(4.dp)) {
                Column(Modifier.semantics(mergeDescendants = true) {}, Arrangement.spacedBy(4.dp)) {
                    Text(title, style = MaterialTheme.typography.titleMedium, color = MaterialTheme.colorScheme.onSurface)
                    if (text != null) {
                        Text(text, style = MaterialTheme.typography.bodyMedium, color = MaterialTheme.colorScheme.onSurface)
                    }
                }
                if (action != null) action()
            }
        }
    }
}

private fun iconOf(tone: Tone) =
    when (tone) {
        Tone.Good -> Icons.Check
        Tone.Plain -> Icons.Question
        Tone.Warn -> Icons.Warning
        Tone.Bad -> Icons.Stop
    }

/** An icon in a soft circle: what a screen, or a row, is about. */
@Composable
fun Emblem(icon: ImageVector, tone: Tone? = null, large: Boolean = false) {
    val behind = tone?.container() ?: MaterialTheme.colorScheme.primaryContainer
    val colour = tone?.colour() ?: MaterialTheme.colorScheme.onPrimaryContainer
    Box(
        Modifier.size(if (large) 72.dp else 44.dp).clip(CircleShape).background(behind),
        Alignment.Center,
    ) {
        Icon(icon, null, Modifier.size(if (large) 36.dp else 24.dp), colour)
    }
}

/** A word in a soft frame, such as a role. */
@Composable
fun Tag(text: String, tone: Tone = Tone.Plain, style: TextStyle = MaterialTheme.typography.labelMedium) {
    Surface(shape = MaterialTheme.shapes.extraSmall, color = tone.container()) {
        Text(
            text,
            Modifier.padding(horizontal = 8.dp, vertical = 3.dp),
            style = style,
            color = if (tone == Tone.Plain) MaterialTheme.colorScheme.onSurface else tone.colour(),
        )
    }
}
