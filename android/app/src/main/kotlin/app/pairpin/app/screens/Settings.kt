// The settings: this phone's name, what guards its approvals, whether it stays connected, what a report may hold, and
// whose work the app stands on.
package app.pairpin.app.screens

import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.text.selection.SelectionContainer
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.unit.dp
import app.pairpin.app.R
import app.pairpin.app.parts.Banner
import app.pairpin.app.parts.Card
import app.pairpin.app.parts.Fact
import app.pairpin.app.parts.GroupTitle
import app.pairpin.app.parts.Leads
import app.pairpin.app.parts.Line
import app.pairpin.app.parts.MainButton
import app.pairpin.app.parts.OnOff
import app.pairpin.app.parts.OtherButton
import app.pairpin.app.parts.ScreenFrame
import app.pairpin.app.parts.SmallButton
import app.pairpin.app.parts.Tone
import app.pairpin.app.parts.Typed
import app.pairpin.app.platform.KeyProtection
import app.pairpin.app.texts.word
import app.pairpin.app.theme.Icons
import app.pairpin.app.theme.Mono
import app.pairpin.shell.SettingsScreen

/** What can be done in the settings. */
data class SettingsActions(
    val back: () -> Unit = {},
    val rename: (String) -> Unit = {},
    val stayConnected: (Boolean) -> Unit = {},
    val diagnostics: (Boolean) -> Unit = {},
    val copy: (String) -> Unit = {},
    val phoneSettings: () -> Unit = {},
    val licences: () -> Unit = {},
)

/** The settings; `version` is that of the app and its protocol. */
@Composable
fun SettingsContent(state: SettingsScreen, protection: KeyProtection, version: String, can: SettingsActions) {
    state.diagnostics?.let {
        Diagnostics(it, can)
        return
    }
    ScreenFrame(stringResource(R.string.settings_title), can.back) {
        DeviceName(state, can.rename)
        GroupTitle(stringResource(R.string.settings_approvals))
        if (state.screenLock) {
            Card {
                Fact(
                    stringResource(R.string.settings_lock),
                    stringResource(R.string.settings_lock_on),
                    note = stringResource(R.string.settings_lock_on_text),
                )
                Line()
                Fact(stringResource(R.string.settings_keys), stringResource(protection.word))
            }
        } else {
            Banner(
                Tone.Warn,
                stringResource(R.string.hint_no_screen_lock),
                stringResource(R.string.hint_no_screen_lock_step),
            ) { SmallButton(stringResource(R.string.phone_settings), can.phoneSettings) }
        }
        GroupTitle(stringResource(R.string.settings_background))
        Card {
            OnOff(
                stringResource(R.string.settings_stay),
                stringResource(if (state.stayConnected) R.string.settings_stay_on else R.string.settings_stay_off),
                state.stayConnected,
                can.stayConnected,
            )
        }
        GroupTitle(stringResource(R.string.settings_about))
        Card {
            Leads(
                Icons.Question,
                stringResource(R.string.diagnostics),
                { can.diagnostics(true) },
                stringResource(R.string.diagnostics_note),
            )
            Line()
            Leads(Icons.Copy, stringResource(R.string.licences), can.licences)
            Line()
            Fact(stringResource(R.string.version), version)
        }
    }
}

@Composable
private fun DeviceName(state: SettingsScreen, rename: (String) -> Unit) {
    var name by rememberSaveable(state.deviceName) { mutableStateOf(state.deviceName) }
    GroupTitle(stringResource(R.string.settings_phone))
    Typed(
        name,
        { name = it },
        stringResource(R.string.settings_name),
        stringResource(R.string.settings_name_note),
        done = { rename(name) },
    )
    if (name != state.deviceName) OtherButton(stringResource(R.string.save), { rename(name) })
}

@Composable
private fun Diagnostics(text: String, can: SettingsActions) {
    ScreenFrame(
        stringResource(R.string.diagnostics),
        { can.diagnostics(false) },
        end = { MainButton(stringResource(R.string.copy), { can.copy(text) }, Icons.Copy) },
    ) {
        Text(stringResource(R.string.diagnostics_text), style = MaterialTheme.typography.bodyLarge)
        Card {
            SelectionContainer {
                Text(text, Modifier.padding(16.dp), style = Mono.copy(fontSize = MaterialTheme.typography.bodySmall.fontSize))
            }
        }
    }
}

/** Whose work the app stands on, and under what terms. */
@Composable
fun LicencesContent(licences: String, back: () -> Unit) {
    ScreenFrame(stringResource(R.string.licences), back) {
        Text(stringResource(R.string.licences_text), style = MaterialTheme.typography.bodyLarge)
        Card {
            for (entry in licences.lines().filter { it.isNotBlank() }) {
                Fact(entry.substringBefore('\t'), entry.substringAfter('\t'))
            }
        }
    }
}
