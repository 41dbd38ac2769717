// The app's one activity: opens the core, and shows the screens.
package app.pairpin.app

import android.os.Bundle
import androidx.activity.ComponentActivity
import androidx.activity.compose.setContent
import androidx.activity.enableEdgeToEdge
import androidx.compose.runtime.collectAsState
import androidx.compose.runtime.getValue
import androidx.lifecycle.lifecycleScope
import app.pairpin.app.platform.PairpinApplication
import app.pairpin.app.screens.MachinesContent
import app.pairpin.app.theme.PairpinTheme
import app.pairpin.shell.MachinesPresenter
import kotlinx.coroutines.launch

/** The app's one activity. */
class MainActivity : ComponentActivity() {
    override fun onCreate(savedInstanceState: Bundle?) {
        enableEdgeToEdge()
        super.onCreate(savedInstanceState)
        val dependencies = (application as PairpinApplication).dependencies
        dependencies.attach(this)
        lifecycleScope.launch {
            val app = dependencies.open()
            val machines = MachinesPresenter(app, lifecycleScope)
            setContent {
                PairpinTheme {
                    val state by machines.screen.collectAsState()
                    MachinesContent(state, {}, {})
                }
            }
        }
    }
}
