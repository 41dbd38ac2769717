package app.pairpin.app

import android.content.Intent
import android.net.Uri
import android.os.SystemClock
import android.view.MotionEvent
import android.view.WindowManager
import androidx.compose.ui.geometry.Offset
import androidx.compose.ui.semantics.SemanticsNode
import androidx.compose.ui.semantics.SemanticsProperties
import androidx.compose.ui.semantics.getOrNull
import androidx.compose.ui.test.hasClickAction
import androidx.compose.ui.test.hasContentDescription
import androidx.compose.ui.test.hasSetTextAction
import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.isRoot
import androidx.compose.ui.test.junit4.v2.createEmptyComposeRule
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performScrollTo
import androidx.compose.ui.test.performTextInput
import androidx.test.core.app.ActivityScenario
import app.pairpin.core.MachineCondition
import app.pairpin.core.PairpinApp
import app.pairpin.core.qrModules
import app.pairpin.shell.Prompt
import app.pairpin.shell.Signing
import app.pairpin.testkit.Machine
import app.pairpin.testkit.Running
import app.pairpin.testkit.frameOf
import app.pairpin.testkit.member
import app.pairpin.testkit.tiltedFrameOf
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertIs
import kotlin.test.assertNotEquals
import kotlin.test.assertTrue
import kotlinx.coroutines.runBlocking
import org.junit.After
import org.junit.Rule
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/** A person with the phone in the hand, before the real machine: the app's activity over the real core. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = TestApplication::class, qualifiers = "w412dp-h915dp-xhdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class EndToEndTest {
    @get:Rule val screen = createEmptyComposeRule()
    private val phone = (RuntimeEnvironment.getApplication() as TestApplication).phone
    private val machine = Machine()
    private lateinit var activity: ActivityScenario<MainActivity>

    @After
    fun over() {
        if (::activity.isInitialized) activity.close()
        phone.end()
        machine.close()
    }

    private fun launch(link: String? = null) {
        val intent = Intent(RuntimeEnvironment.getApplication(), MainActivity::class.java)
        if (link != null) intent.setAction(Intent.ACTION_VIEW).setData(Uri.parse(link))
        activity = ActivityScenario.launch(intent)
    }

    private fun sees(text: String) =
        try {
            screen.waitUntil(DEADLINE) { screen.onAllNodes(hasText(text, substring = true)).fetchSemanticsNodes().isNotEmpty() }
        } catch (error: Throwable) {
            throw AssertionError("\"$text\" is not seen, but: ${texts()}", error)
        }

    private fun texts(): List<String> =
        screen.onAllNodes(isRoot()).fetchSemanticsNodes().flatMap { root -> textsBelow(root) }

    private fun textsBelow(node: SemanticsNode): List<String> =
        node.config.getOrNull(SemanticsProperties.Text).orEmpty().map { it.text } + node.children.flatMap(::textsBelow)

    /** Taps what carries that text, wherever it was scrolled to. */
    private fun taps(text: String) {
        val button = hasText(text) and hasClickAction()
        screen.waitUntil(DEADLINE) { screen.onAllNodes(button).fetchSemanticsNodes().isNotEmpty() }
        runCatching { screen.onNode(button).performScrollTo() }
        screen.onNode(button).performClick()
    }

    private fun tapsPicture(about: String) = screen.onNode(hasContentDescription(about) and hasClickAction()).performClick()

    /** Paired already, by the core alone. */
    private fun paired(): PairpinApp = runBlocking {
        phone.core().also { it.preview(machine.offer("--role", "owner")).pair() }
    }

    @Test
    fun `a QR is scanned askew, confirmed, listed, and the screen says who revoked it and when`() {
        launch()
        sees("Pair your first machine")
        taps("Scan the QR")
        phone.camera.sees = tiltedFrameOf(machine.offerPicture())
        sees("Pair with homebox?")
        assertTrue(phone.app.state().machines.isEmpty(), "nothing is paired before the person says so")
        taps("Pair")
        sees("Paired with homebox")
        taps("Done")
        sees("Online")

        machine.run("devices", "revoke", "Ana's phone", "--yes", "--reason", "sold")
        sees("Access revoked")
        taps("homebox")
        sees("Reason: sold")
        val revoked = assertIs<MachineCondition.Revoked>(phone.app.state().machines.single().condition)
        val by = checkNotNull(revoked.by) { "the machine does not say who" }
        val shown = texts().single { it.startsWith("by ") }
        assertContains(shown, by)
        assertTrue(Regex("\\d\\d?:\\d\\d").containsMatchIn(shown), "when is said: $shown")
    }

    @Test
    fun `a laptop is let in by its QR once the digits of this screen are typed into it`() {
        val app = paired()
        launch()
        sees("Online")
        machine.joiner().use { laptop ->
            val qr = checkNotNull(qrModules(member(laptop.line("\"asked\""), "qr")))
            sees("1 request waits for you")
            taps("Add")
            phone.camera.sees = frameOf(qr)
            sees("Its QR was scanned")
            taps("Let it in")
            types(laptop, digits())
        }
        assertEquals(listOf(Prompt.BringKey, Prompt.LetIn), phone.approvalKeys.prompts.toList())
        assertEquals(2, runBlocking { app.devices(app.state().machines.single().row) }.size)
    }

    @Test
    fun `a laptop is let in by the seven digits on its screen`() {
        paired()
        launch()
        sees("Online")
        machine.joiner().use { laptop ->
            val number = member(laptop.line("\"asked\""), "number")
            assertEquals(7, number.length)
            sees("1 request waits for you")
            tapsPicture("1 request waits for you")
            taps("asks to be let into homebox")
            sees("Type the seven digits on its screen")
            screen.onNode(hasSetTextAction() and hasText("Seven digits")).performScrollTo().performTextInput(number)
            taps("Let it in")
            types(laptop, digits())
        }
    }

    @Test
    fun `an ask is answered with its three kinds of facts seen, and the exit code is the answer`() {
        val app = paired()
        launch()
        sees("Online")
        enrolled(app)
        machine.starts("ask", "Deploy build 241?", "--timeout", "120s").use { ask ->
            sees("1 request waits for you")
            tapsPicture("1 request waits for you")
            taps("homebox asks")
            sees("Deploy build 241?")
            for (kind in listOf("Known", "Observed", "Claimed")) screen.onNodeWithText(kind).assertExists()
            taps("Yes")
            sees("Yes, by Ana's phone")
            assertEquals(0, ask.exit())
        }
        machine.starts("ask", "Delete it all?", "--timeout", "120s").use { ask ->
            taps("Done")
            taps("homebox asks")
            sees("Delete it all?")
            taps("No")
            sees("The answer is no")
            assertEquals(1, ask.exit(), "the control: a no is another exit code")
        }
    }

    @Test
    fun `a link from outside, in capitals as well, leads to the question and pairs nothing`() {
        val link = machine.offer()
        launch(link.replaceBefore(":", link.substringBefore(":").uppercase()))
        sees("Pair with homebox?")
        assertTrue(phone.app.state().machines.isEmpty())
        tapsPicture("Close")
        sees("Pair your first machine")
    }

    @Test
    fun `where something is decided no picture is taken, and a touch through a cover counts for nothing`() {
        launch(machine.offer())
        sees("Pair with homebox?")
        activity.onActivity { assertNotEquals(0, it.window.attributes.flags and WindowManager.LayoutParams.FLAG_SECURE) }
        val button = hasText("Pair") and hasClickAction()
        runCatching { screen.onNode(button).performScrollTo() }
        val place = screen.onNode(button).fetchSemanticsNode().boundsInRoot.center
        touch(place, MotionEvent.FLAG_WINDOW_IS_OBSCURED)
        screen.onNodeWithText("Pair with homebox?").assertExists()
        assertTrue(phone.app.state().machines.isEmpty())
        touch(place, 0)
        sees("Paired with homebox")
        taps("Done")
        sees("Online")
        activity.onActivity { assertEquals(0, it.window.attributes.flags and WindowManager.LayoutParams.FLAG_SECURE) }
    }

    private fun touch(place: Offset, flags: Int) {
        activity.onActivity { shown ->
            val began = SystemClock.uptimeMillis()
            for ((action, after) in listOf(MotionEvent.ACTION_DOWN to 0, MotionEvent.ACTION_UP to 40)) {
                val pointer = arrayOf(MotionEvent.PointerProperties().apply { id = 0 })
                val at = arrayOf(MotionEvent.PointerCoords().apply { x = place.x; y = place.y; pressure = 1f; size = 1f })
                val event = MotionEvent.obtain(began, began + after, action, 1, pointer, at, 0, 0, 1f, 1f, 0, 0, 0x1002, flags)
                shown.dispatchTouchEvent(event)
            }
        }
        screen.waitForIdle()
    }

    /** The four digits on this phone's screen. */
    private fun digits(): String {
        sees("Check digits")
        return texts().single { Regex("\\d{4}").matches(it) }
    }

    private fun types(laptop: Running, digits: String) {
        laptop.line("\"let_in\"")
        laptop.type(digits)
        laptop.line("\"paired\"")
        assertEquals(0, laptop.exit())
    }

    /** Has the machine know this phone's approval key: an ask is for those that may answer. */
    private fun enrolled(app: PairpinApp) = runBlocking {
        val row = app.state().machines.single().row
        val label = app.approvalLabel(row)
        val key = phone.approvalKeys.create(label).publicKey
        val enrol = app.prepareEnrol(row, key)
        enrol.submit((phone.approvalKeys.sign(label, enrol.toSign(), Prompt.BringKey) as Signing.Signed).signature)
    }

    private companion object {
        const val DEADLINE = 60_000L
    }
}
