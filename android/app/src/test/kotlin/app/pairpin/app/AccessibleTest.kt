package app.pairpin.app

import android.app.Application
import androidx.compose.foundation.clickable
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.height
import androidx.compose.foundation.layout.offset
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.layout.width
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import androidx.compose.ui.test.junit4.v2.createEmptyComposeRule
import androidx.compose.ui.unit.dp
import app.pairpin.app.preview.Looks
import kotlin.test.assertContains
import kotlin.test.assertEquals
import org.junit.Rule
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = Application::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class AccessibleTest {
    @get:Rule val rule = createEmptyComposeRule()

    private fun faultsOn(setup: Setup, screens: List<Pair<String, @Composable () -> Unit>>): List<String> {
        val names = screens.map { it.first }
        val found = mutableListOf<String>()
        // Looked at from outside the activity's own thread of events.
        Stage(rule).on(setup, screens) { name, _ -> found += rule.faults().map { "${setup.name}, $name: $it" } }
        assertEquals(names.size, names.toSet().size)
        return found
    }

    private val all = Looks.map { it.name to it.content }

    @Test
    fun `whatever can be tapped has a label and the size of a finger, and no text is cut off`() =
        assertEquals(emptyList(), faultsOn(Ordinary, all))

    @Test
    fun `nothing is cut off where letters are twice as large`() =
        assertEquals(emptyList(), faultsOn(Setup("large", "en-w412dp-h915dp-notnight-hdpi", 2f), all))

    @Test
    fun `nothing is cut off in German on a small phone, in large letters`() =
        assertEquals(emptyList(), faultsOn(Setup("small", "de-w320dp-h568dp-notnight-hdpi", 1.5f), all))

    @Test
    fun `the control - what is wrong is found`() {
        val faults = faultsOn(Ordinary, listOf<Pair<String, @Composable () -> Unit>>("broken" to { Broken() })).joinToString()
        assertContains(faults, "has no label")
        assertContains(faults, "smaller than a finger")
        assertContains(faults, "is cut off")
        assertContains(faults, "beside the screen")
    }
}

@Composable
private fun Broken() {
    Box {
        Box(Modifier.size(20.dp).clickable {})
        Text("a line that needs more room than it is given", Modifier.height(8.dp).width(60.dp))
        Text("beside", Modifier.offset(x = 400.dp).width(80.dp))
    }
}
