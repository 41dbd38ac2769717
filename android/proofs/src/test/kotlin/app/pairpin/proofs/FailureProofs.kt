package app.pairpin.proofs

import app.pairpin.core.AppSettings
import app.pairpin.core.InternalException
import app.pairpin.core.KeyHolder
import app.pairpin.core.Log
import app.pairpin.core.LogLevel
import app.pairpin.core.MachineCondition
import app.pairpin.core.PairpinApp
import app.pairpin.core.PairpinException
import app.pairpin.core.ScreenState
import app.pairpin.core.SecretStore
import app.pairpin.core.SessionSigner
import app.pairpin.core.StateListener
import app.pairpin.testkit.Machine
import app.pairpin.testkit.MemorySigner
import app.pairpin.testkit.MemoryStore
import app.pairpin.testkit.Phone
import app.pairpin.testkit.eventually
import app.pairpin.testkit.vanishes
import java.nio.file.Path
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.atomic.AtomicBoolean
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertIs
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.io.CleanupMode
import org.junit.jupiter.api.io.TempDir

/** What a shell gets wrong, or a phone: an error that says so, nothing lost, and everything works afterwards. */
class FailureProofs {
    @TempDir(cleanup = CleanupMode.NEVER) lateinit var directory: Path

    @AfterEach
    fun removed() = directory.vanishes()

    private suspend fun PairpinApp.shows(what: (ScreenState) -> Boolean) = withTimeout(30.seconds) { states().first(what) }

    @Test
    fun `a listener that throws is told of the next change`() = Machine().use { machine ->
        runBlocking<Unit> {
            val app = Phone(directory).open()
            app.preview(machine.offer()).use { it.pair() }
            app.online()
            val told = CopyOnWriteArrayList<String>()
            val throwing =
                object : StateListener {
                    override fun changed(state: ScreenState) {
                        told += state.machines.single().name
                        throw IllegalStateException("a screen that fails")
                    }
                }
            val listening = launch(Dispatchers.IO) { app.listen(throwing) }
            eventually("it is told of the present state") { told.isNotEmpty() }
            for (name in listOf("one", "two", "three")) {
                app.rename(app.state().machines.single().row, name)
                eventually("it is told of $name") { told.last() == name }
            }
            assertTrue(listening.isActive, "it listens still")
            app.shows { it.machines.single().name == "three" }
            listening.cancelAndJoin()
            app.close()
        }
    }

    @Test
    fun `two clients in two directories know nothing of each other`() = Machine().use { machine ->
        runBlocking<Unit> {
            val apps = listOf("a", "b").map { Phone(directory.resolve(it), it).open() }
            val pairings = apps.map { app -> launch(Dispatchers.IO) { app.preview(machine.offer()).use { it.pair() } } }
            pairings.forEach { it.join() }
            apps.forEach { it.online() }
            apps[0].forget(apps[0].state().machines.single().row)
            apps[0].shows { it.machines.isEmpty() }
            assertIs<MachineCondition.Online>(apps[1].state().machines.single().condition)
            apps.forEach { it.close() }
        }
    }

    @Test
    fun `two clients in one directory lose nothing of what either does`() {
        val (home, work) = Machine("homebox") to Machine("workbox")
        runBlocking<Unit> {
            val phone = Phone(directory)
            val apps = listOf(phone.open(), phone.open())
            val offers = listOf(home.offer(), work.offer())
            val pairings = apps.zip(offers).map { (app, offer) -> launch(Dispatchers.IO) { app.preview(offer).use { it.pair() } } }
            pairings.forEach { it.join() }
            apps.forEach { it.close() }
            settles(0, 0)
            phone.open().use { app ->
                assertEquals(listOf("homebox", "workbox"), app.state().machines.map { it.name }.sorted())
                app.online()
            }
        }
        home.close()
        work.close()
    }

    @Test
    fun `a store that fails is told with its own words, and nothing is lost`() = Machine().use { machine ->
        runBlocking<Unit> {
            val phone = Phone(directory)
            val app = phone.open()
            val offered = machine.offer()
            phone.store.locked = "the phone is locked: unlock it"
            app.preview(offered).use { pairing ->
                val failed = assertFailsWith<PairpinException.Keys> { pairing.pair() }
                assertTrue("the phone is locked: unlock it" in failed.why, failed.why)
                phone.store.locked = null
                pairing.pair()
            }
            app.online()
            app.background()
            app.shows { it.machines.single().condition is MachineCondition.Paused }
            // Locked while it reconnects: it says so, and the machine stays in the list.
            phone.store.locked = "the phone is locked: unlock it"
            app.foreground()
            val broken = app.shows { it.machines.single().condition.let { at -> at is MachineCondition.Broken || at is MachineCondition.Offline } }
            println("proofs: a locked store: ${broken.machines.single().condition}")
            phone.store.locked = null
            app.foreground()
            app.online()
            app.close()
            // Locked at the start: what is listed is listed.
            settles(0, 0)
            phone.store.locked = "the phone is locked: unlock it"
            phone.open().use { again ->
                assertEquals("homebox", again.state().machines.single().name)
                phone.store.locked = null
                again.foreground()
                again.online()
            }
        }
    }

    /** A store whose `holder`, which has no way to fail, throws: the core panics at that call. */
    private class Panicking(private val inner: MemoryStore, val on: AtomicBoolean) : SecretStore by inner {
        override fun holder(): KeyHolder = if (on.get()) throw IllegalStateException("SECRET-OF-THE-SHELL") else inner.holder()
    }

    private class PanickingSigner(private val inner: MemorySigner, val on: AtomicBoolean) : SessionSigner by inner {
        override fun holder(): KeyHolder = if (on.get()) throw IllegalStateException("SECRET-OF-THE-SHELL") else inner.holder()
    }

    @Test
    fun `a panic in the core is an exception, and the app goes on`() = Machine().use { machine ->
        runBlocking<Unit> {
            val on = AtomicBoolean(false)
            val (store, signer) = Panicking(MemoryStore(), on) to PanickingSigner(MemorySigner(), on)
            val app = PairpinApp.open(AppSettings(directory.resolve("state").toString(), "phone", "JVM"), store, signer, null)
            val offered = machine.offer()
            app.preview(offered).use { pairing ->
                on.set(true)
                val failed = runCatching { pairing.pair() }.exceptionOrNull()
                println("proofs: a panic: $failed")
                assertTrue(failed is PairpinException || failed is InternalException, "$failed")
                assertTrue("SECRET-OF-THE-SHELL" !in failed.stackTraceToString(), "what a shell throws is not passed on")
                on.set(false)
                pairing.pair()
            }
            app.online()
            on.set(true)
            repeat(20) {
                app.background()
                app.foreground()
            }
            app.state()
            on.set(false)
            app.foreground()
            app.online()
            app.close()
            settles(0, 0)
        }
    }

    @Test
    fun `a log that throws does not end what it tells of`() = Machine().use { machine ->
        runBlocking<Unit> {
            val log =
                object : Log {
                    override fun line(level: LogLevel, text: String) = throw IllegalStateException("a full disk")
                }
            val phone = Phone(directory)
            val app = PairpinApp.open(AppSettings(phone.state.toString(), "phone", "JVM"), phone.store, phone.signer, log)
            app.preview(machine.offer()).use { it.pair() }
            app.online()
            machine.stop()
            app.shows { it.machines.single().condition is MachineCondition.Offline }
            machine.start()
            app.foreground()
            app.online()
            app.close()
            // The log is the process's: another client takes it back.
            Phone(directory.resolve("next")).open().close()
            settles(0, 0)
        }
    }
}
