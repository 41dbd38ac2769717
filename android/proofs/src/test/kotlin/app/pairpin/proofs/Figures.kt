package app.pairpin.proofs

import app.pairpin.core.PairpinApp
import app.pairpin.core.RoleName
import app.pairpin.core.ScreenState
import app.pairpin.core.StateListener
import app.pairpin.testkit.Machine
import app.pairpin.testkit.Phone
import app.pairpin.testkit.Relay
import app.pairpin.testkit.Running
import app.pairpin.testkit.frameOf
import app.pairpin.testkit.freePort
import app.pairpin.testkit.vanishes
import java.nio.file.Files
import java.nio.file.Path
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import kotlin.time.Duration.Companion.seconds
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.Tag
import org.junit.jupiter.api.io.CleanupMode
import org.junit.jupiter.api.io.TempDir

/** What the core costs an app, each figure beside its floor: `cargo xtask bench phones` runs this and prints the rows. */
@Tag("figures")
class Figures {
    @TempDir(cleanup = CleanupMode.NEVER) lateinit var directory: Path

    @AfterEach
    fun removed() = directory.vanishes()

    @Test
    fun `a frame through the binding, against the same in Rust`() = Machine().use { machine ->
        val frame = frameOf(machine.offerPicture())
        val plane = directory.resolve("frame")
        Files.write(plane, ByteArray(frame.plane.capacity()).also { frame.plane.duplicate().get(it) })
        val program = checkNotNull(System.getenv("PAIRPIN_FRAMES")) { "run: cargo xtask bench phones" }
        val rust = ProcessBuilder(program, "$plane", "${frame.width}", "${frame.height}", "${frame.stride}").start()
        Running(rust).use { floor ->
            fun inRust(): List<Double> {
                floor.type("$FRAMES")
                return floor.line("").split(' ').map { it.toLong() / 1e6 }
            }
            fun inKotlin() =
                List(FRAMES) {
                    val begun = System.nanoTime()
                    checkNotNull(frame.scan())
                    (System.nanoTime() - begun) / 1e6
                }
            repeat(5) { inKotlin() }
            inRust()
            // In turns, so that what else the computer does falls on both.
            val rounds = List(ROUNDS) { median(inKotlin()) to median(inRust()) }
            val (ours, theirs) = median(rounds.map { it.first }) to median(rounds.map { it.second })
            val ratio = median(rounds.map { it.first / it.second })
            row("a 720p frame through the binding", ours, "ms", rounds.map { it.first }, theirs, "the same in Rust")
            row("the same as a share of the floor, round by round", ratio, "", rounds.map { it.first / it.second }, atMost = 1.1)
        }
    }

    /** A listener that notes when it is told of what. */
    private class Noting : StateListener {
        val told = LinkedBlockingQueue<Pair<Long, ScreenState>>()

        override fun changed(state: ScreenState) {
            told.put(System.nanoTime() to state)
        }

        fun next(what: (ScreenState) -> Boolean): Long {
            while (true) {
                val (at, state) = checkNotNull(told.poll(20, TimeUnit.SECONDS)) { "nothing is told" }
                if (what(state)) return at
            }
        }
    }

    /** A phone that is connected to a machine over a relay: the machine moves, and the relay takes its place. */
    private fun overRelay(use: suspend (Machine, Relay, PairpinApp) -> Unit) =
        Machine().use { machine ->
            runBlocking<Unit> {
                val owner = Phone(directory.resolve("owner"), "owner").open()
                owner.preview(machine.offer("--role", "owner")).use { it.pair() }
                owner.close()
                val app = Phone(directory.resolve("phone"), "phone").open()
                app.preview(machine.offer("--role", "viewer")).use { it.pair() }
                app.background()
                machine.stop()
                val elsewhere = freePort()
                machine.start(at = elsewhere)
                Relay(machine.port, elsewhere).use { relay ->
                    app.foreground()
                    app.online()
                    assertEquals(1L, relay.connections.get(), "it goes over the relay")
                    use(machine, relay, app)
                    app.close()
                }
            }
        }

    @Test
    fun `from a change on the machine to the listener`() =
        overRelay { machine, relay, app ->
            coroutineScope {
                val noting = Noting()
                val listening = launch(Dispatchers.IO) { app.listen(noting) }
                val times =
                    List(CHANGES) {
                        val role = if (it % 2 == 0) RoleName.OPERATOR else RoleName.VIEWER
                        machine.run("devices", "set", "phone", "--role", role.name.lowercase())
                        val told = noting.next { state -> state.machines.single().role == role }
                        (told - relay.lastToPhone.get()) / 1e6
                    }
                row("a change on the machine, from the wire to the listener", median(times), "ms", times, atMost = 10.0)
                listening.cancelAndJoin()
            }
        }

    @Test
    fun `from the start to the list, twenty machines`() = runBlocking<Unit> {
        val phone = Phone(directory.resolve("full"))
        val names = List(MACHINES) { "machine-$it" }
        phone.open().use { app ->
            for (name in names) Machine(name).use { machine -> app.preview(machine.offer()).use { it.pair() } }
        }
        settles(0, 0)
        val empty = Phone(directory.resolve("empty"))
        empty.open().close()
        settles(0, 0)
        shown(phone, names.size)
        val rounds = List(STARTS) { shown(phone, names.size) to shown(empty, 0) }
        val (full, none) = rounds.map { it.first } to rounds.map { it.second }
        row("start to the list of 20 machines from disk", median(full), "ms", full, median(none), "none are paired", atMost = 50.0)
    }

    /** From opening until a listener is told of so many machines. */
    private suspend fun shown(phone: Phone, machines: Int): Double {
        val begun = System.nanoTime()
        val app = phone.open()
        val first = CompletableDeferred<Pair<Long, Int>>()
        val listener =
            object : StateListener {
                override fun changed(state: ScreenState) {
                    first.complete(System.nanoTime() to state.machines.size)
                }
            }
        return coroutineScope {
            val listening = launch(Dispatchers.IO) { app.listen(listener) }
            val (at, size) = withTimeout(20.seconds) { first.await() }
            assertEquals(machines, size)
            listening.cancelAndJoin()
            app.close()
            settles(0, 0)
            (at - begun) / 1e6
        }
    }

    @Test
    fun `what an idle connection costs`() =
        overRelay { _, relay, _ ->
            // What follows the welcome is over.
            Thread.sleep(SETTLING_MILLIS)
            val counters = listOf(relay.toPhone, relay.toMachine)
            fun now() = counters.map { it.pieces.get() to it.bytes.get() }
            val (before, woken) = now() to wakeUps()
            Thread.sleep(IDLE_SECONDS * 1000)
            val after = now()
            val wakes = wakeUps().mapValues { (name, count) -> count - woken.getOrDefault(name, 0) }
            val anHour = 3600.0 / IDLE_SECONDS
            val pieces = after.zip(before).map { (now, then) -> now.first - then.first }
            val bytes = after.zip(before).map { (now, then) -> now.second - then.second }
            row("idle connection, to the phone, an hour", pieces[0] * anHour, "records")
            row("idle connection, to the machine, an hour", pieces[1] * anHour, "records")
            row("idle connection, both ways, an hour", bytes.sum() * anHour / 1024, "KiB of TLS")
            row("wake-ups of the core's threads, an hour", wakes.values.sum() * anHour, "")
            println("proofs: in $IDLE_SECONDS s: $pieces records, $bytes bytes, wake-ups ${wakes.filterValues { it > 0 }}")
            assertEquals(1L, relay.connections.get(), "it was one connection all the time")
        }

    /** How often the core's own threads were woken, by their names; the JVM's are not the core's. */
    private fun wakeUps(): Map<String, Long> {
        val counts = mutableMapOf<String, Long>()
        for (task in checkNotNull(Path.of("/proc/self/task").toFile().listFiles())) {
            val lines = runCatching { task.resolve("status").readLines() }.getOrNull() ?: continue
            fun field(name: String) = lines.first { it.startsWith("$name:") }.substringAfter(':').trim()
            val name = field("Name")
            if (CORE.none { name.startsWith(it) }) continue
            counts.merge(name, field("voluntary_ctxt_switches").toLong(), Long::plus)
        }
        return counts
    }

    private companion object {
        const val FRAMES = 200
        const val ROUNDS = 9
        const val CHANGES = 40
        const val MACHINES = 20
        const val STARTS = 40
        const val SETTLING_MILLIS = 3_000L
        const val IDLE_SECONDS = 60L
        val CORE = listOf("tokio", "async-compat", "pairpin")
    }
}

private fun median(of: List<Double>): Double = of.sorted()[of.size / 2]

/** A row as `docs/benchmarks.md` has them. */
private fun row(
    subject: String,
    figure: Double,
    unit: String,
    spread: List<Double> = emptyList(),
    floor: Double? = null,
    floorIs: String = "",
    atMost: Double? = null,
) {
    val cells =
        listOf(
            subject,
            "${number(figure)} $unit".trim(),
            if (spread.isEmpty()) "" else "${number(spread.min())} to ${number(spread.max())}",
            floor?.let { "${number(it)} ($floorIs)" }.orEmpty(),
            floor?.let { number(figure / it) }.orEmpty(),
            atMost?.let { "at most ${number(it)}" }.orEmpty(),
            atMost?.let { if (figure <= it) "yes" else "**no**" }.orEmpty(),
        )
    println("| ${cells.joinToString(" | ")} |")
}

/** Three digits that matter. */
private fun number(value: Double) =
    when {
        value >= 100 || value == Math.rint(value) -> "%.0f"
        value >= 10 -> "%.1f"
        else -> "%.2f"
    }.format(java.util.Locale.ROOT, value)
