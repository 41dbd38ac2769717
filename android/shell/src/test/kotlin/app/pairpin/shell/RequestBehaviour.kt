package app.pairpin.shell

import app.pairpin.core.Ending
import app.pairpin.core.InboxItem
import app.pairpin.core.MachineCondition
import app.pairpin.core.PairpinApp
import app.pairpin.core.Request
import app.pairpin.core.RoleName
import app.pairpin.core.Terms
import app.pairpin.testkit.Machine
import app.pairpin.testkit.Phone
import app.pairpin.testkit.eventually
import app.pairpin.testkit.member
import java.nio.file.Path
import kotlin.test.Test
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertIs
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancel
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import kotlinx.coroutines.withTimeoutOrNull
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.io.TempDir

class RequestBehaviour {
    @TempDir lateinit var directory: Path
    private val machine = Machine()
    private val scope = CoroutineScope(Dispatchers.Default)
    private val keys = MemoryApprovalKeys()

    @AfterEach
    fun over() {
        scope.cancel()
        machine.close()
    }

    private suspend fun paired(name: String = "Ana's phone"): PairpinApp {
        val app = Phone(directory.resolve(name), name).open()
        app.preview(machine.offer("--role", "owner")).pair()
        return app
    }

    /** The one request that waits. */
    private fun PairpinApp.request(): InboxItem {
        eventually("something waits in the inbox") { state().inbox.isNotEmpty() }
        return state().inbox.single()
    }

    private suspend inline fun <reified T : RequestScreen> RequestPresenter.reaches(): T =
        withTimeoutOrNull(20.seconds) { screen.filterIsInstance<T>().first() } ?: error("it stays at ${screen.value}")

    private fun open(app: PairpinApp, request: InboxItem = app.request(), scanned: String? = null) =
        RequestPresenter(app, Approver(app, keys), scope, request.row, request.id, scanned)

    /** Has the machine know this phone's approval key: an ask is for those that may answer. */
    private suspend fun enrolled(app: PairpinApp): PairpinApp {
        eventually("it is connected") { app.state().machines.singleOrNull()?.condition is MachineCondition.Online }
        val row = app.state().machines.single().row
        eventually("it may be asked") { runCatching { runBlocking { app.approvalLabel(row) } }.isSuccess }
        val label = app.approvalLabel(row)
        val key = assertIs<Holding.Key>(keys.create(label)).publicKey
        val enrol = app.prepareEnrol(row, key)
        enrol.submit(keys.signer.sign(label, enrol.toSign()))
        return app
    }

    @Test
    fun `an ask is shown with its three kinds of facts, and a yes is the exit code 0`() = runBlocking<Unit> {
        val app = enrolled(paired())
        machine.starts("ask", "Deploy build 241?", "--timeout", "60s", "--json").use { ask ->
            val presenter = open(app)
            val request = assertIs<Request.Ask>(assertIs<RequestScreen.Open>(presenter.screen.value).request.request)
            assertEquals("Deploy build 241?", request.claimed.text)
            assertContains(request.observed.arguments, "Deploy build 241?")
            assertEquals(0u, request.known.uid)
            presenter.yes()
            val how = assertIs<Ending.Yes>(presenter.reaches<RequestScreen.Over>().how)
            assertEquals("Ana's phone", how.by)
            assertEquals(listOf(Prompt.SayYes), keys.prompts, "the person was asked once")
            assertEquals(0, ask.exit())
        }
    }

    @Test
    fun `a no needs no fingerprint and is the exit code 1`() = runBlocking<Unit> {
        val app = enrolled(paired())
        machine.starts("ask", "Deploy?", "--timeout", "60s").use { ask ->
            val presenter = open(app)
            presenter.no()
            assertIs<Ending.No>(presenter.reaches<RequestScreen.Over>().how)
            assertEquals(1, ask.exit())
            assertEquals(emptyList(), keys.prompts)
        }
    }

    @Test
    fun `a dismissed fingerprint sends nothing, and the request stays open`() = runBlocking<Unit> {
        val app = enrolled(paired())
        machine.starts("ask", "Deploy?", "--timeout", "60s").use { ask ->
            val presenter = open(app)
            keys.person = MemoryApprovalKeys.Person.Dismisses
            presenter.yes()
            withTimeout(20.seconds) { presenter.screen.first { it is RequestScreen.Open && it.hint == Hint.Cancelled } }
            keys.person = MemoryApprovalKeys.Person.SaysYes
            presenter.yes()
            assertIs<Ending.Yes>(presenter.reaches<RequestScreen.Over>().how)
            assertEquals(0, ask.exit())
        }
    }

    @Test
    fun `a new fingerprint ends the approval key, which is said with the way back`() = runBlocking<Unit> {
        val app = enrolled(paired())
        machine.starts("ask", "Deploy?", "--timeout", "60s").use { _ ->
            val presenter = open(app)
            keys.person = MemoryApprovalKeys.Person.HasEnrolledAFinger
            presenter.yes()
            withTimeout(20.seconds) { presenter.screen.first { it is RequestScreen.Open && it.hint == Hint.KeyGone } }
            Unit
        }
    }

    @Test
    fun `answered on another phone while it is open here`() = runBlocking<Unit> {
        val app = enrolled(paired())
        val other = paired("Ben's phone")
        machine.starts("ask", "Deploy?", "--timeout", "60s").use { ask ->
            val here = open(app)
            val there = other.request().let { RequestPresenter(other, Approver(other, MemoryApprovalKeys()), scope, it.row, it.id) }
            there.no()
            val how = assertIs<Ending.No>(here.reaches<RequestScreen.Over>().how)
            assertEquals("Ben's phone", how.by)
            assertEquals(1, ask.exit())
        }
    }

    @Test
    fun `a laptop is let in by its QR, and stored only when the digits are typed`() = runBlocking<Unit> {
        val app = paired()
        machine.joiner().use { laptop ->
            val asked = laptop.line("\"asked\"")
            val presenter = open(app, scanned = member(asked, "qr"))
            val join = assertIs<Request.Join>(assertIs<RequestScreen.Open>(presenter.screen.value).request.request)
            assertEquals(true, join.byNumber)
            presenter.letIn(Terms(RoleName.VIEWER, "laptop", 24u))
            val shown = presenter.reaches<RequestScreen.ShowDigits>()
            laptop.line("\"let_in\"")
            laptop.type(shown.digits)
            laptop.line("\"paired\"")
            assertEquals(0, laptop.exit())
            assertEquals(listOf(Prompt.BringKey, Prompt.LetIn), keys.prompts)
            val device = app.devices(app.state().machines.single().row).single { it.name == "laptop" }
            assertEquals(RoleName.VIEWER, device.role)
        }
    }

    @Test
    fun `a laptop is let in by its number, and a wrong number is a no`() = runBlocking<Unit> {
        val app = paired()
        machine.joiner().use { laptop ->
            val number = member(laptop.line("\"asked\""), "number")
            val presenter = open(app)
            presenter.letInByNumber(number, Terms(RoleName.OPERATOR, null, null))
            laptop.type(presenter.reaches<RequestScreen.ShowDigits>().digits)
            assertEquals(0, laptop.exit())
        }
        eventually("the inbox is empty") { app.state().inbox.isEmpty() }
        machine.joiner().use { laptop ->
            val number = member(laptop.line("\"asked\""), "number")
            val wrong = if (number == "0000000") "0000001" else "0000000"
            val presenter = open(app)
            presenter.letInByNumber(wrong, Terms(RoleName.OPERATOR, null, null))
            assertIs<Ending.No>(presenter.reaches<RequestScreen.Over>().how)
            assertEquals(1, laptop.exit())
        }
    }

    @Test
    fun `a request that is withdrawn while it is open says so`() = runBlocking<Unit> {
        val app = enrolled(paired())
        val presenter =
            machine.starts("ask", "Deploy?", "--timeout", "60s").use { _ -> open(app) }
        assertEquals(Ending.Withdrawn, presenter.reaches<RequestScreen.Over>().how)
    }
}
