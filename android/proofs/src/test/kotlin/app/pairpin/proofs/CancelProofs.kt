package app.pairpin.proofs

import app.pairpin.core.Decision
import app.pairpin.core.Done
import app.pairpin.core.Joining
import app.pairpin.core.MachineCondition
import app.pairpin.core.Pairing
import app.pairpin.core.PairpinApp
import app.pairpin.core.PairpinException
import app.pairpin.core.Request
import app.pairpin.core.RoleName
import app.pairpin.core.Terms
import app.pairpin.testkit.Machine
import app.pairpin.testkit.Phone
import app.pairpin.testkit.Running
import app.pairpin.testkit.eventually
import app.pairpin.testkit.member
import app.pairpin.testkit.vanishes
import java.nio.file.Files
import java.nio.file.Path
import kotlin.random.Random
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import kotlinx.coroutines.yield
import org.junit.jupiter.api.AfterAll
import org.junit.jupiter.api.BeforeAll
import org.junit.jupiter.api.MethodOrderer
import org.junit.jupiter.api.Order
import org.junit.jupiter.api.TestInstance
import org.junit.jupiter.api.TestMethodOrder

/** Every call of the face that waits, given up at random moments, and then made again. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@TestMethodOrder(MethodOrderer.OrderAnnotation::class)
class CancelProofs {
    private val directory: Path = Files.createTempDirectory("pairpin-proofs")
    private val random = Random(SEED)
    private val tried = mutableMapOf<String, Int>()
    private lateinit var scene: Scene

    @BeforeAll
    fun begin() = runBlocking<Unit> { scene = Scene.of(directory.resolve("scene")) }

    @AfterAll
    fun over() {
        scene.close()
        settles(0, 0)
        directory.vanishes()
        println("proofs: given up ${tried.values.sum()} times: $tried")
    }

    /**
     * Gives `call` up so often, at a random moment of the time that it takes, and makes it once more: then it has to
     * do what it does. `before` makes ready what one call uses up.
     */
    private suspend fun <T> givenUp(name: String, times: Int = rounds(TIMES, LONG), before: suspend () -> T, call: suspend (T) -> Unit) {
        val stays = held()
        val spans = List(3) { before().let { ready -> timed { call(ready) }.also { close(ready) } } }
        // Longer than it takes, too: then it was done, and nothing is given up.
        val span = spans.max() * 5 / 4
        repeat(times) {
            val ready = before()
            val moment = System.nanoTime() + random.nextLong(span)
            withTimeout(30.seconds) {
                coroutineScope {
                    val running = launch(Dispatchers.IO) { mayFail { call(ready) } }
                    while (System.nanoTime() < moment && running.isActive) yield()
                    running.cancelAndJoin()
                }
            }
            close(ready)
            tried.merge(name, 1, Int::plus)
        }
        val ready = before()
        withTimeout(30.seconds) { call(ready) }
        close(ready)
        settles(stays, 0)
    }

    /** A call that was given up before it began has closed nothing. */
    private fun close(ready: Any?) {
        if (ready is AutoCloseable) ready.close()
    }

    /** A call that is made again after it was given up may say what came of that; a defect it may not be. */
    private suspend fun mayFail(call: suspend () -> Unit) {
        try {
            call()
        } catch (failed: PairpinException) {
            assertTrue("a step of" !in failed.message.orEmpty(), "$failed")
        }
    }

    private suspend fun timed(call: suspend () -> Unit): Long {
        val begun = System.nanoTime()
        withTimeout(30.seconds) { call() }
        return System.nanoTime() - begun
    }

    private suspend fun PairpinApp.givenUp(name: String, call: suspend PairpinApp.() -> Unit) =
        givenUp("PairpinApp.$name", before = {}) { call() }

    @Test
    fun `what asks a machine`() = runBlocking<Unit> {
        val (row, device) = scene.row to scene.device
        with(scene.app) {
            givenUp("approval_label") { approvalLabel(row) }
            givenUp("approval_standing") { approvalStanding(row, scene.key) }
            givenUp("devices") { check(devices(row).size == 2) }
            givenUp("prepare_enrol") { prepareEnrol(row, scene.key).close() }
            givenUp("prepare_invite") { prepareInvite(row, RoleName.VIEWER, null, 60uL).close() }
            givenUp("prepare_revoke") { prepareRevoke(row, device, "sold").close() }
            givenUp("prepare_role") { prepareRole(row, device, RoleName.OPERATOR).close() }
            givenUp("prepare_lift") { prepareLift(row, device).close() }
            givenUp("prepare_forget_key") { prepareForgetKey(row, device).close() }
            assertEquals(2, devices(row).size, "nothing was signed, so nothing is changed")
        }
    }

    private data class Signed(val role: RoleName, val decision: Decision, val signature: ByteArray) : AutoCloseable {
        override fun close() = decision.close()
    }

    @Test
    fun `a decision that is signed`() = runBlocking<Unit> {
        val roles = generateSequence { listOf(RoleName.OPERATOR, RoleName.VIEWER) }.flatten().iterator()
        givenUp(
            "Decision.submit",
            before = {
                val role = roles.next()
                val decision = scene.app.prepareRole(scene.row, scene.device, role)
                Signed(role, decision, scene.sign(decision.toSign()))
            },
        ) { (role, decision, signature) ->
            decision.submit(signature)
            assertEquals(role, scene.app.devices(scene.row).single { it.id == scene.device }.role)
        }
    }

    @Test
    fun `what stays on the phone`() = runBlocking<Unit> {
        val names = generateSequence(0) { it + 1 }.map { "homebox $it" }.iterator()
        with(scene.app) {
            givenUp("rename") { names.next().let { name -> check(rename(scene.row, name).name == name) } }
            givenUp("listen") { coroutineScope { listensIn(this).also { yield() }.cancelAndJoin() } }
        }
        givenUp("PairpinApp.open", before = {}) { Phone(directory.resolve("opened")).open().use { check(it.state().machines.isEmpty()) } }
    }

    @Test
    fun `an offer that is looked at, paired, and forgotten`() = runBlocking<Unit> {
        val offered = scene.machine.offer("--ttl", "10m")
        scene.app.givenUp("preview") { preview(offered).use { it.preview() } }
        val app = Phone(directory.resolve("pairing"), "third").open()
        suspend fun offer(): Pairing {
            // Who gives up early leaves an offer, and few may be outstanding.
            scene.machine.run("offers", "cancel", "--all")
            return app.preview(scene.machine.offer("--role", "viewer"))
        }
        givenUp("Pairing.pair", rounds(FEW, LONG), before = { offer() }) { pairing ->
            pairing.use { it.pair() }
            check(app.state().machines.size <= 1)
        }
        // Given up in the middle, the same pairing goes on where it was.
        repeat(FEW) {
            offer().use { pairing ->
                coroutineScope {
                    val first = launch(Dispatchers.IO) { mayFail { pairing.pair() } }
                    val moment = System.nanoTime() + random.nextLong(8_000_000)
                    while (System.nanoTime() < moment && first.isActive) yield()
                    first.cancelAndJoin()
                }
                pairing.pair()
            }
        }
        givenUp(
            "PairpinApp.forget",
            rounds(FEW, LONG),
            // A farewell that was given up ends by itself, later.
            before = {
                eventually("it was told") { app.state().machines.none { it.condition is MachineCondition.Leaving } }
                app.state().machines.firstOrNull()?.row ?: offer().use { it.pair() }.machine.row
            },
        ) { row ->
            try {
                app.forget(row)
            } catch (_: PairpinException.NoSuchMachine) {
                // The one before it was given up, and done all the same.
            }
            eventually("it is gone") { app.state().machines.none { it.row == row } }
        }
        app.close()
    }

    /** An ask that waits; those of before are answered. */
    private suspend fun request(): Pair<Running, String> {
        scene.app.state().inbox.forEach { one -> mayFail { scene.app.deny(one.row, one.id, null) } }
        eventually("nothing waits") { scene.app.state().inbox.isEmpty() }
        val ask = scene.machine.starts("ask", "Deploy?", "--timeout", "10m")
        eventually("it waits") { scene.app.state().inbox.isNotEmpty() }
        return ask to scene.app.state().inbox.single().id
    }

    @Test
    fun `an ask that is answered`() = runBlocking<Unit> {
        val (ask, id) = request()
        scene.app.givenUp("prepare_yes") { prepareYes(scene.row, id, scene.app.state().inbox.single().shown).close() }
        scene.app.deny(scene.row, id, null)
        assertEquals(1, ask.exit())
        var last = ask
        givenUp("PairpinApp.deny", FEW, before = { request().also { last = it.first }.second }) { scene.app.deny(scene.row, it, null) }
        assertEquals(1, last.exit())
    }

    @Test
    fun `a joiner that is let in`() = runBlocking<Unit> {
        val terms = Terms(RoleName.VIEWER, "laptop", null)
        scene.machine.joiner().use { laptop ->
            val asked = laptop.line("\"asked\"")
            eventually("it waits") { scene.app.state().inbox.any { it.request is Request.Join } }
            val id = scene.app.state().inbox.first { it.request is Request.Join }.id
            val (text, number) = member(asked, "qr") to member(asked, "number")
            scene.app.givenUp("join_of_scan") { check(joinOfScan(text).id == id) }
            scene.app.givenUp("prepare_join_scanned") { prepareJoinScanned(text, terms).close() }
            scene.app.givenUp("prepare_join_number") { prepareJoinNumber(scene.row, id, number, terms).close() }
            scene.app.prepareJoinScanned(text, terms).use { it.submit(scene.sign(it.toSign())) }
        }
        eventually("nothing waits") { scene.app.state().inbox.none { it.request is Request.Join } }
    }

    private fun freshPhone(name: String) = runBlocking { Phone(Files.createTempDirectory(directory, name), name).open() }

    @Test
    fun `a typed code`() = Machine().use { machine ->
        runBlocking<Unit> {
            val phone = freshPhone("typing")
            givenUp(
                "PairpinApp.begin_code",
                FEW,
                before = { member(machine.run("pair", "--code", "--json", "--no-wait", "--role", "viewer"), "code") },
            ) { code -> phone.beginCode(machine.address, code).use { it.preview() } }
            phone.close()
        }
    }

    @Test
    fun `a phone that asks to be let in`() = runBlocking<Unit> {
        Machine().use { machine ->
            val phone = freshPhone("asking")
            givenUp("PairpinApp.ask_to_join", FEW, before = {}) { phone.askToJoin(machine.address).use { it.asked() } }
            // Nobody answers: every wait is given up, and has taken the join back.
            givenUp("Joining.wait", FEW, before = { phone.askToJoin(machine.address) }) { joining ->
                joining.use {
                    val waiting = CoroutineScope(Dispatchers.IO).launch { mayFail { it.wait() } }
                    yield()
                    waiting.cancelAndJoin()
                    mayFail { it.wait() }
                }
            }
            phone.close()
        }
        // Few are shown to people in an hour: each of these has a machine of its own, and is let in.
        repeat(rounds(FEWEST, FEW)) { number ->
            Scene.of(Files.createTempDirectory(directory, "letting")).use { there ->
                val phone = freshPhone("let in")
                suspend fun granted(): Pair<Joining, String> {
                    val joining = phone.askToJoin(there.machine.address)
                    val waiting = CoroutineScope(Dispatchers.IO).async { joining.wait() }
                    eventually("it is shown") { there.app.state().inbox.any { it.request is Request.Join } }
                    val terms = Terms(RoleName.VIEWER, "asking $number", null)
                    val done = there.app.prepareJoinScanned(joining.asked().text, terms).use { it.submit(there.sign(it.toSign())) }
                    waiting.await()
                    return joining to (done as Done.LetIn).digits
                }
                val (joining, digits) = granted()
                joining.use {
                    val moment = System.nanoTime() + random.nextLong(12_000_000)
                    coroutineScope {
                        val typing = launch(Dispatchers.IO) { mayFail { it.typed(digits) } }
                        while (System.nanoTime() < moment && typing.isActive) yield()
                        typing.cancelAndJoin()
                    }
                    tried.merge("Joining.typed", 1, Int::plus)
                }
                eventually("nothing waits") { there.app.state().inbox.isEmpty() }
                // It is in, or half in, or out: as it is listed once the steps that were begun have ended.
                phone.foreground()
                val soon = System.nanoTime() + SOON_MILLIS * 1_000_000L
                while (System.nanoTime() < soon && phone.state().machines.none { it.condition is MachineCondition.Online }) delay(10.milliseconds)
                // Stored here and never acknowledged there: it is forgotten, as a person does, and asks again.
                phone.state().machines.filter { it.condition !is MachineCondition.Online }.forEach {
                    try {
                        phone.forget(it.row)
                    } catch (_: PairpinException.NoSuchMachine) {
                        // A step that was begun has ended meanwhile, and with it the row.
                    }
                }
                eventually("what is left is connected") { phone.state().machines.all { it.condition is MachineCondition.Online } }
                if (phone.state().machines.isEmpty()) {
                    val (again, more) = granted()
                    again.use { it.typed(more) }
                }
                phone.online()
                phone.close()
            }
        }
    }

    @Test
    @Order(Int.MAX_VALUE)
    fun `every call that waits was given up`() {
        val listed = Files.readAllLines(Path.of(checkNotNull(System.getenv("PAIRPIN_API"))))
        var of = ""
        val waiting = mutableSetOf<String>()
        for (line in listed) {
            if (line.startsWith("object ")) of = line.removePrefix("object ")
            Regex("^    async (?:fn|constructor) (\\w+)\\(").find(line)?.let { waiting += "$of.${it.groupValues[1]}" }
        }
        assertTrue(waiting.size > 20, "ffi/api.txt is read: $waiting")
        assertEquals(waiting.sorted(), tried.keys.sorted())
    }

    private companion object {
        const val SEED = 6
        const val TIMES = 60
        const val LONG = 1_000
        const val FEW = 12
        const val FEWEST = 2
        const val SOON_MILLIS = 1_000
    }
}
