// The first screen.
package app.pairpin.app.screens

import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.padding
import androidx.compose.material3.Button
import androidx.compose.material3.Scaffold
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.stringResource
import app.pairpin.app.R
import app.pairpin.shell.MachinesScreen

/** The machines. */
@Composable
fun MachinesContent(state: MachinesScreen, scan: () -> Unit, open: (Long) -> Unit) {
    Scaffold { padding ->
        Column(Modifier.padding(padding)) {
            Text(stringResource(R.string.machines_title))
            when (state) {
                is MachinesScreen.Empty -> Text(stringResource(R.string.machines_empty_title))
                is MachinesScreen.Listed -> for (machine in state.machines) Text(machine.name)
            }
            Button(onClick = scan) { Text(stringResource(R.string.scan)) }
        }
    }
}
