// What the tests of behaviours share: machines and phones that end with the test, and waiting for what is shown.
package app.pairpin.shell

import app.pairpin.core.InboxItem
import app.pairpin.core.MachineCondition
import app.pairpin.core.MachineView
import app.pairpin.core.PairpinApp
import app.pairpin.core.ScreenState
import app.pairpin.testkit.Machine
import app.pairpin.testkit.Phone
import app.pairpin.testkit.Running
import app.pairpin.testkit.freePort
import app.pairpin.testkit.vanishes
import java.nio.file.Path
import java.util.concurrent.atomic.AtomicBoolean
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeoutOrNull
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.io.CleanupMode
import org.junit.jupiter.api.io.TempDir

abstract class Scene {
    @TempDir(cleanup = CleanupMode.NEVER) lateinit var directory: Path
    protected val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)
    private val ending = ArrayDeque<AutoCloseable>()

    @AfterEach
    fun over() {
        scope.cancel()
        ending.forEach { it.close() }
        directory.vanishes()
    }

    /** Ends it with the test. */
    protected fun <T : AutoCloseable> T.ends(): T = also(ending::addFirst)

    /** A machine that runs. */
    protected fun machine(name: String = "homebox", port: Int = freePort(), clock: String? = null) =
        Machine(name, port, clock).ends()

    /** A phone with the app open on it. */
    protected suspend fun phone(name: String = "Ana's phone", phone: Phone = Phone(directory.resolve(name), name)) =
        Hand(phone, phone.open(), scope).ends()

    /** A phone that is paired with `machine` and connected. */
    protected suspend fun paired(machine: Machine, name: String = "Ana's phone", role: String = "owner"): Hand =
        phone(name).also { it.pairs(machine, role) }

    /** Something asked at the machine's shell. */
    protected fun Machine.asks(text: String, vararg more: String): Running =
        starts("ask", text, "--timeout", "60s", *more).ends()

    /** A test's body: JUnit leaves out a method that returns something. */
    protected fun scene(body: suspend CoroutineScope.() -> Unit) = runBlocking { body() }
}

/** A phone in somebody's hand: the app, its approval keys, and what the app tells. */
class Hand(val phone: Phone, val app: PairpinApp, scope: CoroutineScope) : AutoCloseable {
    val keys = MemoryApprovalKeys()
    val approver = Approver(app, keys)
    private val ended = AtomicBoolean()
    private val told = MutableStateFlow(app.state())

    /** The app's state. */
    val state: StateFlow<ScreenState> = told

    init {
        app.follow(scope) { told.value = it }
    }

    /** Pairs with a machine and waits for the connection; gives its row. */
    suspend fun pairs(machine: Machine, role: String = "owner"): Long {
        val row = app.preview(machine.offer("--role", role)).pair().machine.row
        reaches<MachineCondition.Online>(row)
        return row
    }

    /** The only machine. */
    val row: Long get() = app.state().machines.single().row

    /** Waits until the machine of that row stands so. */
    suspend inline fun <reified T : MachineCondition> reaches(row: Long? = null): T {
        val there = state.becomes("${T::class.simpleName}") { machine(it, row)?.condition is T }
        return machine(there, row)?.condition as T
    }

    fun machine(state: ScreenState, row: Long? = null): MachineView? =
        if (row == null) state.machines.singleOrNull() else state.machines.find { it.row == row }

    /** Waits for the one thing that waits in the inbox. */
    suspend fun waits(): InboxItem = state.becomes("one in the inbox") { it.inbox.size == 1 }.inbox.single()

    /** Has the machine know this phone's approval key: an ask is for those that may answer. */
    suspend fun mayAnswer(row: Long = this.row): Hand {
        val label = app.approvalLabel(row)
        val key = (keys.create(label) as Holding.Key).publicKey
        val enrol = app.prepareEnrol(row, key)
        enrol.submit((keys.sign(label, enrol.toSign(), Prompt.BringKey) as Signing.Signed).signature)
        keys.prompts.clear()
        return this
    }

    /** Ends the app, as the phone does. May be called twice. */
    override fun close() {
        if (!ended.compareAndSet(false, true)) return
        app.cancel()
        app.close()
    }
}

/** Waits for a value that fits, with a deadline. */
suspend fun <T> StateFlow<T>.becomes(what: String, fits: (T) -> Boolean): T =
    withTimeoutOrNull(20.seconds) { first { fits(it) } } ?: error("no $what: it stays at $value")

/** Waits for a screen of that kind, with a deadline. */
suspend inline fun <reified T> StateFlow<*>.reaches(): T = becomes(T::class.simpleName.orEmpty()) { it is T } as T
