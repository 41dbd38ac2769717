// The core for Kotlin: generated from the built library, nothing in it is written by hand.
plugins {
    alias(libs.plugins.kotlin.jvm)
}

val target = rootDir.resolve("../target/debug")

val generate by tasks.registering(Exec::class) {
    workingDir = rootDir.resolve("..")
    commandLine("cargo", "xtask", "bindings")
    outputs.dir(target.resolve("bindings/kotlin"))
    // Cargo itself knows what has changed.
    outputs.upToDateWhen { false }
}

kotlin {
    jvmToolchain(libs.versions.jvm.target.get().toInt())
    sourceSets.main {
        kotlin.srcDir(generate)
    }
}

dependencies {
    // The app brings JNA's AAR, which is the same with its part for phones.
    compileOnly(libs.jna)
    api(libs.kotlinx.coroutines.core)
}
