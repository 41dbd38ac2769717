package app.pairpin.proofs

import app.pairpin.core.MachineCondition
import app.pairpin.core.PairpinApp
import app.pairpin.testkit.Machine
import app.pairpin.testkit.Phone
import java.nio.file.Path
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.io.CleanupMode
import org.junit.jupiter.api.io.TempDir

/** Made and closed again, thousands of times: nothing stays behind. */
class LeakProofs {
    // What a closed app still lets go of is not to fail the removal.
    @TempDir(cleanup = CleanupMode.NEVER) lateinit var directory: Path

    private fun proves(rounds: Int, round: suspend (Int) -> Unit) = runBlocking<Unit> {
        val before = held() to waiting()
        val (samples, each) = sampled(rounds, round)
        println("proofs: $rounds rounds, ${samples.first()} to ${samples.last()}")
        assertEquals(emptyList(), grown(samples, each), samples.joinToString("\n"))
        settles(before.first, before.second)
    }

    @Test
    fun `clients that are opened and closed leave nothing behind`() {
        proves(rounds(CLIENTS)) {
            val app = Phone(directory).open()
            app.state()
            app.close()
            settles(0, 0)
        }
    }

    @Test
    fun `listeners that come and go leave nothing behind`() {
        val app = runBlocking { Phone(directory).open() }
        val stays = held()
        proves(rounds(LISTENERS)) {
            withTimeout(20.seconds) { app.states().first() }
            settles(stays, 0)
        }
        app.close()
    }

    @Test
    fun `connections that are made and closed leave nothing behind`() = Machine().use { machine ->
        val app = runBlocking { Phone(directory).open().also { it.preview(machine.offer()).pair() } }
        val stays = held()
        proves(rounds(CONNECTIONS)) {
            app.foreground()
            app.reaches<MachineCondition.Online>()
            app.background()
            app.reaches<MachineCondition.Paused>()
            settles(stays, 0)
        }
        app.close()
    }

    private suspend inline fun <reified T : MachineCondition> PairpinApp.reaches() =
        withTimeout(20.seconds) { states().first { it.machines.single().condition is T } }

    @Test
    fun `control - what is kept is seen in memory, files and what Rust holds`() = runBlocking<Unit> {
        val kept = mutableListOf<PairpinApp>()
        val (samples, each) =
            sampled(CONTROL) {
                val app = Phone(directory.resolve("${it % 4}")).open()
                if (it % 4 == 0) kept += app else app.close()
            }
        val grown = grown(samples, each)
        println("proofs: control: $grown")
        for (what in listOf("memory", "files", "what Rust holds")) {
            assertTrue(grown.any { it.startsWith(what) }, "$what does not show in $grown")
        }
        kept.forEach { it.close() }
        settles(0, 0)
    }

    @Test
    fun `control - a listening that goes on is seen in the calls that wait`() = runBlocking<Unit> {
        val app = Phone(directory).open()
        val listenings = mutableListOf<kotlinx.coroutines.Job>()
        val (samples, each) = sampled(CONTROL) { if (it % 4 == 0) listenings += app.listensIn(this) else kotlinx.coroutines.yield() }
        val grown = grown(samples, each)
        assertTrue(grown.any { it.startsWith("calls that wait") }, "$grown")
        listenings.forEach { it.cancelAndJoin() }
        app.close()
        settles(0, 0)
    }

    private companion object {
        const val CLIENTS = 900
        const val LISTENERS = 1_800
        const val CONNECTIONS = 360
        const val CONTROL = 180
    }
}
