// What a person taps, and what a person types.
package app.pairpin.app.parts

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.selection.selectable
import androidx.compose.foundation.selection.selectableGroup
import androidx.compose.foundation.selection.toggleable
import androidx.compose.foundation.text.KeyboardActions
import androidx.compose.foundation.text.KeyboardOptions
import androidx.compose.material3.Button
import androidx.compose.material3.ButtonDefaults
import androidx.compose.material3.Checkbox
import androidx.compose.material3.CircularProgressIndicator
import androidx.compose.material3.Icon
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedButton
import androidx.compose.material3.OutlinedTextField
import androidx.compose.material3.RadioButton
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.vector.ImageVector
import androidx.compose.ui.semantics.Role
import androidx.compose.ui.text.TextStyle
import androidx.compose.ui.text.input.ImeAction
import androidx.compose.ui.text.input.KeyboardType
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.unit.dp

private val Tall = Modifier.fillMaxWidth().heightIn(min = 54.dp)

/** The one thing that a screen is for. While it is `busy`, it turns and cannot be tapped. */
@Composable
fun MainButton(
    text: String,
    tap: () -> Unit,
    icon: ImageVector? = null,
    enabled: Boolean = true,
    busy: Boolean = false,
    danger: Boolean = false,
) {
    val scheme = MaterialTheme.colorScheme
    val colours =
        if (danger) {
            ButtonDefaults.buttonColors(containerColor = scheme.error, contentColor = scheme.onError)
        } else {
            ButtonDefaults.buttonColors()
        }
    Button(tap, Tall, enabled && !busy, colors = colours) {
        if (busy) {
            CircularProgressIndicator(
                Modifier.padding(end = 12.dp).size(20.dp),
                color = scheme.onSurfaceVariant,
                strokeWidth = 2.dp,
            )
        } else if (icon != null) {
            Icon(icon, null, Modifier.padding(end = 10.dp).size(22.dp))
        }
        Text(text, style = MaterialTheme.typography.titleMedium, textAlign = TextAlign.Center)
    }
}

/** Something else that can be done. */
@Composable
fun OtherButton(text: String, tap: () -> Unit, icon: ImageVector? = null, enabled: Boolean = true, danger: Boolean = false) {
    val colours =
        if (danger) ButtonDefaults.outlinedButtonColors(contentColor = MaterialTheme.colorScheme.error)
        else ButtonDefaults.outlinedButtonColors()
    OutlinedButton(tap, Tall, enabled, colors = colours) {
        if (icon != null) Icon(icon, null, Modifier.padding(end = 10.dp).size(22.dp))
        Text(text, style = MaterialTheme.typography.titleMedium, textAlign = TextAlign.Center)
    }
}

/** Something small that can be done. */
@Composable
fun SmallButton(text: String, tap: () -> Unit, enabled: Boolean = true) {
    TextButton(tap, Modifier.heightIn(min = 48.dp), enabled) { Text(text, textAlign = TextAlign.Center) }
}

/** A line to type in. */
@Composable
fun Typed(
    text: String,
    change: (String) -> Unit,
    label: String,
    note: String? = null,
    kind: KeyboardType = KeyboardType.Text,
    style: TextStyle = MaterialTheme.typography.bodyLarge,
    enabled: Boolean = true,
    wrong: Boolean = false,
    done: (() -> Unit)? = null,
) {
    OutlinedTextField(
        text,
        change,
        Modifier.fillMaxWidth(),
        enabled = enabled,
        textStyle = style,
        label = { Text(label) },
        supportingText = note?.let { { Text(it) } },
        isError = wrong,
        keyboardOptions =
            KeyboardOptions(
                autoCorrectEnabled = false,
                keyboardType = kind,
                imeAction = if (done == null) ImeAction.Next else ImeAction.Done,
            ),
        keyboardActions = KeyboardActions(onDone = { done?.invoke() }),
        singleLine = true,
        shape = MaterialTheme.shapes.small,
    )
}

/** One of several, each with what it means. */
@Composable
fun <T> OneOf(all: List<T>, chosen: T, choose: (T) -> Unit, name: @Composable (T) -> String, note: @Composable (T) -> String?) {
    Card {
        Column(Modifier.selectableGroup()) {
            for (one in all) {
                Row(
                    Modifier
                        .fillMaxWidth()
                        .selectable(one == chosen, role = Role.RadioButton) { choose(one) }
                        .heightIn(min = 56.dp)
                        .padding(horizontal = 16.dp, vertical = 10.dp),
                    Arrangement.spacedBy(14.dp),
                    Alignment.CenterVertically,
                ) {
                    RadioButton(one == chosen, onClick = null)
                    Column {
                        Text(name(one), style = MaterialTheme.typography.bodyLarge)
                        note(one)?.let {
                            Text(
                                it,
                                style = MaterialTheme.typography.bodyMedium,
                                color = MaterialTheme.colorScheme.onSurfaceVariant,
                            )
                        }
                    }
                }
            }
        }
    }
}

/** Something that a person says to have done. */
@Composable
fun Ticked(text: String, on: Boolean, set: (Boolean) -> Unit) {
    Row(
        Modifier
            .fillMaxWidth()
            .toggleable(on, role = Role.Checkbox, onValueChange = set)
            .heightIn(min = 56.dp)
            .padding(vertical = 8.dp),
        Arrangement.spacedBy(14.dp),
        Alignment.CenterVertically,
    ) {
        Checkbox(on, onCheckedChange = null)
        Text(text, Modifier.weight(1f), style = MaterialTheme.typography.bodyLarge)
    }
}
