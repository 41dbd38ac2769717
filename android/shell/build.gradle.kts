// What the screens show and do, in plain Kotlin: no Android import. Its tests run by `cargo xtask test --layer android`.
plugins {
    alias(libs.plugins.kotlin.jvm)
}

kotlin {
    jvmToolchain(libs.versions.jvm.target.get().toInt())
}

// Maven's modules have their tests in the same place, against the real binary.
sourceSets.test {
    java.setSrcDirs(emptyList<String>())
}

dependencies {
    api(project(":bindings"))
    compileOnly(libs.jna)
}
