// The app's one activity. It shows where the person is on the way, takes links and notifications in, and guards the
// screens on which something is decided.
package app.pairpin.app

import android.content.Intent
import android.os.Bundle
import android.view.MotionEvent
import android.view.WindowManager
import android.widget.Toast
import androidx.activity.ComponentActivity
import androidx.activity.compose.BackHandler
import androidx.activity.compose.setContent
import androidx.activity.enableEdgeToEdge
import androidx.compose.runtime.Composable
import androidx.compose.runtime.CompositionLocalProvider
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.collectAsState
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableLongStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.saveable.rememberSaveableStateHolder
import androidx.compose.runtime.setValue
import androidx.lifecycle.Lifecycle
import androidx.lifecycle.ViewModelProvider
import androidx.lifecycle.repeatOnLifecycle
import androidx.lifecycle.viewmodel.initializer
import androidx.lifecycle.viewmodel.viewModelFactory
import app.pairpin.app.platform.DeepLink
import app.pairpin.app.platform.Dependencies
import app.pairpin.app.platform.OpenRequest
import app.pairpin.app.platform.PairpinApplication
import app.pairpin.app.screens.StartContent
import app.pairpin.app.texts.LocalNow
import app.pairpin.app.theme.PairpinTheme
import kotlinx.coroutines.delay

private const val SECOND = 1_000L

/** The app's one activity. */
class MainActivity : ComponentActivity() {
    private val dependencies: Dependencies get() = (application as PairpinApplication).dependencies

    internal val journey: Journey by lazy {
        ViewModelProvider(this, viewModelFactory { initializer { Journey(dependencies) } })[Journey::class.java]
    }

    override fun onCreate(savedInstanceState: Bundle?) {
        enableEdgeToEdge()
        super.onCreate(savedInstanceState)
        // The same intent comes again when the phone is turned: it was followed then.
        if (savedInstanceState == null) follow(intent)
        setContent { PairpinTheme { Ticking(lifecycle) { Way() } } }
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        follow(intent)
    }

    private fun follow(intent: Intent?) {
        DeepLink.of(intent)?.let { journey.visit(Visit.Link(it)) }
        OpenRequest.of(intent)?.let { journey.visit(Visit.Waiting(it.row, it.id)) }
    }

    override fun onStart() {
        super.onStart()
        dependencies.attach(this)
    }

    override fun onStop() {
        dependencies.detach(this)
        super.onStop()
    }

    @Composable
    private fun Way() {
        val here = journey.here
        guard(here?.guarded == true)
        BackHandler(journey.canGoBack) { journey.back() }
        if (here == null) {
            val state by journey.start.screen.collectAsState()
            StartContent(state, journey.start::again, journey.start::startAnew)
        } else {
            // What was typed and how far was scrolled is kept for the way back, and no longer.
            val kept = rememberSaveableStateHolder()
            kept.SaveableStateProvider(here.key) { Screen(here, journey) }
            val passed = remember { mutableSetOf<String>() }
            val way = journey.way
            LaunchedEffect(way) {
                (passed - way.toSet()).forEach(kept::removeState)
                passed.clear()
                passed += way
            }
        }
    }

    /** No screenshot, no recording, no picture among the recent apps. */
    private fun guard(on: Boolean) {
        if (on) {
            window.addFlags(WindowManager.LayoutParams.FLAG_SECURE)
        } else {
            window.clearFlags(WindowManager.LayoutParams.FLAG_SECURE)
        }
    }

    /** A touch that came through another app's window decides nothing. */
    override fun dispatchTouchEvent(event: MotionEvent): Boolean {
        val covered = event.flags and COVERED != 0
        if (!covered || journey.here?.guarded == false) return super.dispatchTouchEvent(event)
        if (event.actionMasked == MotionEvent.ACTION_DOWN) Toast.makeText(this, R.string.covered, Toast.LENGTH_LONG).show()
        return true
    }

    private companion object {
        // The second is of API 29; older systems never set it.
        const val COVERED = MotionEvent.FLAG_WINDOW_IS_OBSCURED or 0x2
    }
}

/** The time passes, for as long as somebody looks. */
@Composable
private fun Ticking(lifecycle: Lifecycle, content: @Composable () -> Unit) {
    var now by remember { mutableLongStateOf(System.currentTimeMillis()) }
    LaunchedEffect(lifecycle) {
        lifecycle.repeatOnLifecycle(Lifecycle.State.STARTED) {
            while (true) {
                now = System.currentTimeMillis()
                delay(SECOND - now % SECOND)
            }
        }
    }
    CompositionLocalProvider(LocalNow provides now, content = content)
}
