// Where screens are looked at one after another: a bare activity of any size, in any language and size of letters.
package app.pairpin.app

import android.app.Application
import android.content.ComponentName
import androidx.activity.ComponentActivity
import androidx.activity.compose.setContent
import androidx.activity.enableEdgeToEdge
import androidx.compose.runtime.Composable
import androidx.compose.runtime.CompositionLocalProvider
import androidx.compose.runtime.getValue
import androidx.compose.runtime.key
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.setValue
import androidx.compose.ui.test.junit4.ComposeTestRule
import androidx.test.core.app.ActivityScenario
import app.pairpin.app.preview.NOON
import app.pairpin.app.texts.LocalNow
import app.pairpin.app.theme.PairpinTheme
import java.util.TimeZone
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf

/** How a phone is set up. `qualifiers` are those of Android's resources. */
class Setup(val name: String, val qualifiers: String, val letters: Float = 1f)

val Ordinary = Setup("light", "en-w412dp-h915dp-notnight-hdpi")

/** Shows one screen after another on a phone that is set up so, and lets `look` have a look at each. */
class Stage(private val rule: ComposeTestRule) {
    private var shown by mutableStateOf<Pair<String, @Composable () -> Unit>>("" to {})

    fun <T> on(setup: Setup, screens: List<Pair<String, @Composable () -> Unit>>, look: (String, ComponentActivity) -> T): List<T> {
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"))
        RuntimeEnvironment.setQualifiers(setup.qualifiers)
        RuntimeEnvironment.setFontScale(setup.letters)
        val application = RuntimeEnvironment.getApplication() as Application
        shadowOf(application.packageManager).addActivityIfNotPresent(ComponentName(application, ComponentActivity::class.java))
        val seen = mutableListOf<T>()
        ActivityScenario.launch(ComponentActivity::class.java).use { scenario ->
            scenario.onActivity { activity ->
                activity.setTheme(R.style.Theme_Pairpin)
                activity.enableEdgeToEdge()
                activity.setContent {
                    CompositionLocalProvider(LocalNow provides NOON) {
                        PairpinTheme { key(shown.first) { shown.second() } }
                    }
                }
            }
            for (screen in screens) {
                shown = screen
                rule.waitForIdle()
                scenario.onActivity { seen += look(screen.first, it) }
            }
        }
        return seen
    }
}
