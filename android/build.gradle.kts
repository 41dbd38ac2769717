// Versions and libraries: gradle/libs.versions.toml, which `cargo xtask` reads too.
plugins {
    alias(libs.plugins.android.application) apply false
    alias(libs.plugins.kotlin.jvm) apply false
    alias(libs.plugins.kotlin.compose) apply false
}

// Nothing is built inside the checkout but in cargo's target directory.
allprojects {
    layout.buildDirectory = rootDir.resolve("../target/gradle/$name")
}
