// A wire between a phone and a machine that counts and times what passes over it.
package app.pairpin.testkit

import java.io.IOException
import java.net.InetAddress
import java.net.ServerSocket
import java.net.Socket
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.atomic.AtomicLong
import kotlin.concurrent.thread

/** A relay at `port` to the machine at `to`; both on this computer. */
class Relay(port: Int, private val to: Int) : AutoCloseable {
    private val local = InetAddress.getByName("127.0.0.1")
    private val door = ServerSocket(port, 16, local)
    private val open = CopyOnWriteArrayList<Socket>()

    /** What went each way. */
    val toPhone = Counter()
    val toMachine = Counter()

    /** Connections that were made through it. */
    val connections = AtomicLong()

    /** When something was last handed to the phone (`System.nanoTime`). */
    val lastToPhone = AtomicLong()

    class Counter {
        /** Pieces as they came from the socket: a record of TLS each, unless several came at once. */
        val pieces = AtomicLong()
        val bytes = AtomicLong()
    }

    init {
        thread(isDaemon = true, name = "relay") {
            try {
                while (true) serve(door.accept())
            } catch (_: IOException) {
                // It was closed.
            }
        }
    }

    private fun serve(phone: Socket) {
        val machine = Socket(local, to)
        connections.incrementAndGet()
        for (end in listOf(phone, machine)) end.tcpNoDelay = true
        open += listOf(phone, machine)
        thread(isDaemon = true, name = "relay out") { copy(phone, machine, toMachine) {} }
        thread(isDaemon = true, name = "relay in") { copy(machine, phone, toPhone) { lastToPhone.set(System.nanoTime()) } }
    }

    private fun copy(from: Socket, into: Socket, counter: Counter, before: () -> Unit) {
        val buffer = ByteArray(64 * 1024)
        try {
            while (true) {
                val read = from.getInputStream().read(buffer)
                if (read < 0) break
                counter.pieces.incrementAndGet()
                counter.bytes.addAndGet(read.toLong())
                before()
                into.getOutputStream().write(buffer, 0, read)
            }
        } catch (_: IOException) {
            // Either end has gone.
        }
        for (end in listOf(from, into)) runCatching { end.close() }
    }

    override fun close() {
        door.close()
        open.forEach { runCatching { it.close() } }
    }
}
