// What a leak shows in: memory, threads and files of this process, and what the core holds of ours.
package app.pairpin.proofs

import java.nio.file.Files
import java.nio.file.Path

/** Counts of this process at one moment. */
data class Gauges(
    /** What is resident beside files' pages, in KiB. */
    val memory: Long,
    val threads: Int,
    val files: Int,
    /** Stores, signers and listeners that Rust holds: each is freed when the last of its holders in Rust is. */
    val held: Int,
    /** Calls that wait for Rust. */
    val waiting: Int,
)

fun gauges() = Gauges(anonymous(), entries("task"), entries("fd"), held(), waiting())

private fun anonymous(): Long {
    val line = Files.readAllLines(Path.of("/proc/self/status")).single { it.startsWith("RssAnon:") }
    return line.filter(Char::isDigit).toLong()
}

private fun entries(of: String) = checkNotNull(Path.of("/proc/self/$of").toFile().list()).size

/** Foreign objects that Rust holds, by the tables of the generated code. */
fun held() = listOf("SecretStore", "SessionSigner", "StateListener", "Log").sumOf { size("FfiConverterType$it", "handleMap") }

/** Calls of ours that have not come back from Rust. */
fun waiting() = size("PairpinKt", "uniffiContinuationHandleMap")

private fun size(className: String, field: String): Int {
    val of =
        try {
            Class.forName("app.pairpin.core.$className")
        } catch (_: ClassNotFoundException) {
            return 0
        }
    val table = of.getDeclaredField(field).apply { isAccessible = true }.get(null)
    return table.javaClass.getMethod("getSize").invoke(table) as Int
}

/** Waits until Rust holds no more of ours than that: tasks end a moment after what they belong to. */
fun settles(held: Int, waiting: Int) {
    val begun = System.nanoTime()
    while (held() > held || waiting() > waiting) {
        val millis = (System.nanoTime() - begun) / 1_000_000
        check(millis < DEADLINE_MILLIS) { "Rust holds ${held()} of ours, not $held; ${waiting()} calls wait, not $waiting" }
        // What nobody closed is freed when it is collected.
        if (millis > PATIENCE_MILLIS) System.gc()
        Thread.sleep(1)
    }
}

private const val PATIENCE_MILLIS = 500
private const val DEADLINE_MILLIS = 20_000
