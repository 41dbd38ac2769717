// A machine, a phone that is its owner with an approval key, and another device: what most calls need.
package app.pairpin.proofs

import app.pairpin.core.MachineCondition
import app.pairpin.core.PairpinApp
import app.pairpin.testkit.Machine
import app.pairpin.testkit.MemorySigner
import app.pairpin.testkit.Phone
import java.nio.file.Path
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.withTimeout
import kotlin.time.Duration.Companion.milliseconds

class Scene private constructor(val machine: Machine, val app: PairpinApp, val other: PairpinApp) : AutoCloseable {
    private val approval = MemorySigner()
    val row get() = app.state().machines.single().row

    /** The id of the other device. */
    lateinit var device: String
        private set

    /** The public half of the approval key. */
    lateinit var key: ByteArray
        private set

    /** Signs as the person's finger does. */
    suspend fun sign(message: ByteArray) = approval.sign(app.approvalLabel(row), message)

    override fun close() {
        other.close()
        app.close()
        machine.close()
    }

    companion object {
        suspend fun of(directory: Path): Scene {
            val machine = Machine()
            val app = Phone(directory.resolve("owner"), "owner").open()
            app.preview(machine.offer("--role", "owner")).use { it.pair() }
            val other = Phone(directory.resolve("other"), "other").open()
            other.preview(machine.offer("--role", "viewer")).use { it.pair() }
            return Scene(machine, app, other).apply {
                app.online()
                key = approval.create(app.approvalLabel(row))
                app.prepareEnrol(row, key).use { it.submit(sign(it.toSign())) }
                device = app.devices(row).single { it.name == "other" }.id
            }
        }
    }
}

/** Waits until its machines are connected and can be asked. */
suspend fun PairpinApp.online() {
    withTimeout(30.seconds) {
        states().first { state -> state.machines.isNotEmpty() && state.machines.all { it.condition is MachineCondition.Online } }
        // The connection is told of a moment before it takes requests.
        while (state().machines.any { runCatching { approvalLabel(it.row) }.isFailure }) delay(5.milliseconds)
    }
}
