// A command of the binary that waits: its lines as they come, and its exit code.
package app.pairpin.testkit

import java.io.IOException
import java.io.InputStream
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit
import kotlin.concurrent.thread

class Running(private val process: Process) : AutoCloseable {
    private val lines = LinkedBlockingQueue<String>()
    private val said = StringBuilder()

    init {
        read(process.inputStream) { lines.put(it) }
        read(process.errorStream) { synchronized(said) { said.appendLine(it) } }
    }

    private fun read(stream: InputStream, line: (String) -> Unit) =
        thread(isDaemon = true) {
            try {
                stream.bufferedReader().forEachLine(line)
            } catch (_: IOException) {
                // The process was ended, and its pipes with it.
            }
        }

    /** The next line on stdout that holds `text`. */
    fun line(text: String): String {
        while (true) {
            val line = lines.poll(20, TimeUnit.SECONDS) ?: error("no line with $text; it said: $said")
            if (text in line) return line
        }
    }

    /** Types a line. */
    fun type(line: String) {
        process.outputStream.write("$line\n".toByteArray())
        process.outputStream.flush()
    }

    /** Its exit code, once it has ended. */
    fun exit(): Int {
        check(process.waitFor(20, TimeUnit.SECONDS)) { "it does not end; it said: $said" }
        return process.exitValue()
    }

    override fun close() {
        process.destroyForcibly().waitFor()
    }
}

/** The text of a member of a line of JSON. */
fun member(json: String, name: String): String =
    checkNotNull(Regex("\"$name\":\\s*\"([^\"]*)\"").find(json)) { "no $name in $json" }.groupValues[1]
