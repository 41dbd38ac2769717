// The real machine: `pairpin serve`, with a home and a port of its own. What a person does at its shell goes
// through `run`.
package app.pairpin.testkit

import java.net.InetAddress
import java.net.ServerSocket
import java.nio.file.Files
import java.nio.file.Path
import java.util.concurrent.TimeUnit

private const val DEADLINE_SECONDS = 30L

class Machine(private val name: String = "homebox") : AutoCloseable {
    private val binary = checkNotNull(System.getenv("PAIRPIN_BIN")) { "run: cargo xtask test --layer android" }
    private val home: Path = Files.createTempDirectory("pairpin-machine")
    private val port = ServerSocket(0, 1, InetAddress.getByName("127.0.0.1")).use { it.localPort }
    private var daemon: Process? = null

    init {
        start()
    }

    /** Starts the daemon, and returns once it says where it listens. */
    fun start() {
        val address = "127.0.0.1:$port"
        val serve =
            command(
                listOf(
                    "serve", "--name", name, "--bind", "127.0.0.1", "--port", "$port",
                    "--advertise", address, "--join-from", "loopback",
                ),
            )
        val log = home.resolve("serve.log").toFile()
        val started = serve.redirectErrorStream(true).redirectOutput(log).start()
        daemon = started
        eventually("the machine listens") {
            check(started.isAlive) { "serve ended: ${log.readText()}" }
            runCatching { run("status", "--json") }.getOrNull()?.contains("\"running\":true")
        }
    }

    /** Ends the daemon as a person does, and waits for it. */
    fun stop() {
        daemon?.let {
            it.destroy()
            check(it.waitFor(DEADLINE_SECONDS, TimeUnit.SECONDS)) { "the daemon does not stop" }
        }
        daemon = null
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
    fun joiner(): Running {
        val laptop = Files.createTempDirectory(home, "laptop")
        return Running(command(listOf("join", "127.0.0.1:$port", "--json", "--yes"), laptop).start())
    }

    /** Makes an offer; gives its link. */
    fun offer(vararg more: String): String = member(run("pair", "--json", "--no-wait", *more), "link")

    /** Makes an offer; gives the picture of its QR. */
    fun offerPicture(): Path {
        val picture = home.resolve("offer.png")
        run("pair", "--no-wait", "--qr-format", "png", "--qr-out", picture.toString())
        return picture
    }

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
        }
        return builder
    }

    override fun close() {
        daemon?.destroyForcibly()?.waitFor()
        home.toFile().deleteRecursively()
    }
}

/** Waits until `look` gives true, with a deadline. */
fun eventually(what: String, look: () -> Boolean?) {
    val end = System.nanoTime() + TimeUnit.SECONDS.toNanos(DEADLINE_SECONDS)
    while (look() != true) {
        check(System.nanoTime() < end) { "not in time: $what" }
        Thread.sleep(20)
    }
}
