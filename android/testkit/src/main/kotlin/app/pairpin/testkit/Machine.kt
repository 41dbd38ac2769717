// The real machine: `pairpin serve`, with a home and a port of its own. What a person does at its shell goes
// through `run`.
package app.pairpin.testkit

import java.io.File
import java.io.IOException
import java.net.InetAddress
import java.net.ServerSocket
import java.net.Socket
import java.nio.file.Files
import java.nio.file.Path
import java.util.concurrent.TimeUnit

private const val DEADLINE_SECONDS = 30L

/** A machine that runs. Another one at the `port` of a stopped one answers in its place. */
class Machine(
    val name: String = "homebox",
    val port: Int = freePort(),
    private val clock: String? = null,
) : AutoCloseable {
    private val binary = checkNotNull(System.getenv("PAIRPIN_BIN")) { "run: cargo xtask test --layer android" }
    private val home: Path = Files.createTempDirectory("pairpin-machine")
    private var daemon: Process? = null

    /** Where it is reached. */
    val address = "127.0.0.1:$port"

    init {
        start()
    }

    /** Starts the daemon, and returns once it says where it listens; `at` is another port than before. */
    fun start(vararg more: String, at: Int = port) {
        val serve =
            command(
                listOf(
                    "serve", "--name", name, "--bind", "127.0.0.1", "--port", "$at",
                    "--advertise", "127.0.0.1:$at", "--join-from", "loopback", *more,
                ),
            )
        val log = home.resolve("serve.log").toFile()
        val started = serve.redirectErrorStream(true).redirectOutput(log).start()
        daemon = started
        // No command is run before it listens: one that finds no daemon may hold the state while it looks into it.
        eventually("the machine listens") {
            check(started.isAlive) { "serve ended: ${log.readText()}" }
            listens(at) && run("status", "--json").contains("\"running\":true")
        }
    }

    private fun listens(at: Int): Boolean =
        try {
            Socket(InetAddress.getByName("127.0.0.1"), at).close()
            true
        } catch (_: IOException) {
            false
        }

    /** Ends the daemon as a person does, and waits for it. */
    fun stop() {
        daemon?.let {
            it.destroy()
            check(it.waitFor(DEADLINE_SECONDS, TimeUnit.SECONDS)) { "the daemon does not stop" }
        }
        daemon = null
    }

    /** Loses its identity key while it is stopped, and serves under a new one: what a person does after that. */
    fun makesItsKeyAnew() {
        stop()
        Files.delete(home.resolve("state/identity.key"))
        start("--new-key", "--yes")
    }

    /** Runs a command of the machine's shell; gives what it printed on stdout. */
    fun run(vararg arguments: String): String {
        val process = command(arguments.toList()).start()
        process.outputStream.close()
        val printed = process.inputStream.bufferedReader().readText()
        val said = process.errorStream.bufferedReader().readText()
        check(process.waitFor(DEADLINE_SECONDS, TimeUnit.SECONDS)) { "$arguments does not end" }
        check(process.exitValue() == 0) { "${arguments.toList()} exits with ${process.exitValue()}: $said" }
        return printed
    }

    /** Starts a command of the machine's shell that waits. */
    fun starts(vararg arguments: String) = Running(command(arguments.toList()).start())

    /** A laptop without an offer that asks to be let in. */
    fun joiner(): Running = laptop().joins(this)

    /** A laptop: a home of its own, in which commands of a device run. */
    fun laptop(): Laptop = Laptop(Files.createTempDirectory(home, "laptop"))

    /** A device of the command line. */
    inner class Laptop(private val home: Path) {
        /** Asks a machine to let it in. */
        fun joins(machine: Machine) = starts("join", machine.address, "--json", "--yes")

        /** Starts a command of the device's. */
        fun starts(vararg arguments: String) = Running(command(arguments.toList(), home).start())
    }

    /** Makes an offer; gives its link. */
    fun offer(vararg more: String): String = member(run("pair", "--json", "--no-wait", *more), "link")

    /** Makes an offer; gives the picture of its QR. */
    fun offerPicture(): Path {
        val picture = home.resolve("offer.png")
        run("pair", "--no-wait", "--qr-format", "png", "--qr-out", picture.toString())
        return picture
    }

    /** The names under which it lists devices. */
    fun devices(): List<String> =
        Regex("\"name\":\"([^\"]*)\"").findAll(run("devices", "--json")).map { it.groupValues[1] }.toList()

    private fun command(arguments: List<String>, home: Path = this.home): ProcessBuilder {
        val builder = ProcessBuilder(listOf(binary) + arguments).directory(home.toFile())
        builder.environment().apply {
            val path = this["PATH"]
            clear()
            path?.let { put("PATH", it) }
            for (variable in listOf("HOME", "TMPDIR", "XDG_RUNTIME_DIR")) put(variable, home.toString())
            put("PAIRPIN_STATE_DIR", home.resolve("state").toString())
            put("PAIRPIN_SECRET_STORE", "file")
            put("LC_ALL", "C.UTF-8")
            put("TZ", "UTC")
            clock?.let { putAll(wallClock(it)) }
        }
        return builder
    }

    override fun close() {
        daemon?.destroyForcibly()?.waitFor()
        home.toFile().deleteRecursively()
    }
}

/** A port of this computer that nobody listens at. */
fun freePort(): Int = ServerSocket(0, 1, InetAddress.getByName("127.0.0.1")).use { it.localPort }

/** Another wall clock for a process, as by "+40d". The clocks that measure time are left alone. */
private fun wallClock(offset: String): Map<String, String> {
    val places = listOf(File("/usr/lib"), File("/usr/lib64")) + File("/usr/lib").listFiles().orEmpty()
    val library = places.map { it.resolve("faketime/libfaketime.so.1") }.find(File::isFile)
    checkNotNull(library) { "libfaketime is not installed: install what Debian calls faketime" }
    return mapOf("LD_PRELOAD" to library.path, "FAKETIME" to offset, "FAKETIME_DONT_FAKE_MONOTONIC" to "1")
}

/** Removes a directory with all that is in it. An app that was closed may be putting its database away meanwhile. */
fun Path.vanishes() = eventually("$this is gone") { toFile().deleteRecursively() }

/** Waits until `look` gives true, with a deadline. */
fun eventually(what: String, look: () -> Boolean?) {
    val end = System.nanoTime() + TimeUnit.SECONDS.toNanos(DEADLINE_SECONDS)
    while (look() != true) {
        check(System.nanoTime() < end) { "not in time: $what" }
        Thread.sleep(20)
    }
}
