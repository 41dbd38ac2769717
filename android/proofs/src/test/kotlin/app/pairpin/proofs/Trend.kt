// Whether something grows: the first third of the samples against the last.
package app.pairpin.proofs

/** The means of the first and the last third of what one gauge said. */
data class Trend(val first: Double, val last: Double) {
    val growth get() = last - first
}

fun trend(samples: List<Number>): Trend {
    check(samples.size >= 6) { "too few samples: ${samples.size}" }
    val third = samples.size / 3
    fun mean(of: List<Number>) = of.sumOf { it.toDouble() } / of.size
    return Trend(mean(samples.take(third)), mean(samples.takeLast(third)))
}

/** What grew over these samples, each taken after `each` rounds; empty where nothing did. */
fun grown(samples: List<Gauges>, each: Int): List<String> {
    val rounds = each * (samples.size - samples.size / 3)
    val memory = trend(samples.map { it.memory })
    // A block of the allocator's here or there is no leak; a client that stays is 50 times that.
    val allowed = MEMORY_KIB + rounds * BYTES_A_ROUND / 1024
    return buildList {
        if (memory.growth > allowed) add("memory by ${memory.growth.toLong()} KiB in $rounds rounds ($allowed allowed)")
        for ((name, gauge) in COUNTS) {
            val counted = trend(samples.map(gauge))
            if (counted.growth > 2.0) add("$name from ${counted.first} to ${counted.last}")
        }
    }
}

private const val MEMORY_KIB = 2048.0
private const val BYTES_A_ROUND = 256.0

private val COUNTS: List<Pair<String, (Gauges) -> Number>> =
    listOf(
        "threads" to Gauges::threads,
        "files" to Gauges::files,
        "what Rust holds of ours" to Gauges::held,
        "calls that wait" to Gauges::waiting,
    )

/** Runs `round` so often, and samples after every `each`; what comes before is to warm up. */
suspend fun sampled(rounds: Int, round: suspend (Int) -> Unit): Pair<List<Gauges>, Int> {
    val each = (rounds / SAMPLES).coerceAtLeast(1)
    repeat(each * WARM_UP) { round(it) }
    val samples =
        List(SAMPLES) { sample ->
            repeat(each) { round((WARM_UP + sample) * each + it) }
            System.gc()
            gauges()
        }
    return samples to each
}

private const val SAMPLES = 18
private const val WARM_UP = 4

/** How often, in the layer; `PAIRPIN_PROOFS=long` says the count that the documentation claims. */
fun rounds(short: Int, long: Int = 10_000) = if (System.getenv("PAIRPIN_PROOFS") == "long") long else short
