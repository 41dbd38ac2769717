plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.kotlin.compose)
}

// The workspace's version, as `cargo xtask android apk` has it.
val release = Regex("""(?m)^version = "(\d+)\.(\d+)\.(\d+)"""").find(rootDir.resolve("../Cargo.toml").readText())!!.groupValues

// What `cargo xtask android libs` has made: ABI/libpairpin_ffi.so.
val natives = rootDir.resolve("../target/debug/android/jni")

android {
    namespace = "app.pairpin.app"
    compileSdk = libs.versions.compile.sdk.get().toInt()

    defaultConfig {
        applicationId = "app.pairpin"
        minSdk = libs.versions.min.sdk.get().toInt()
        targetSdk = libs.versions.target.sdk.get().toInt()
        versionCode = release[1].toInt() * 1_000_000 + release[2].toInt() * 1000 + release[3].toInt()
        versionName = release.drop(1).joinToString(".")
    }

    androidResources {
        localeFilters += listOf("en", "de")
    }

    buildFeatures {
        compose = true
    }

    buildTypes {
        release {
            isMinifyEnabled = true
            isShrinkResources = true
            proguardFiles("proguard-rules.pro", "../bindings/consumer-rules.pro")
        }
    }

    sourceSets.getByName("main") {
        kotlin.srcDir("src/main/kotlin")
        jniLibs.srcDir(natives)
        // Licences, as `cargo xtask android kit` has written them.
        res.srcDir(rootDir.resolve("../target/debug/android/kit/made"))
        assets.srcDir(rootDir.resolve("../target/debug/android/kit/assets"))
    }

    packaging {
        jniLibs.useLegacyPackaging = false
    }

    // Nothing that only a vendor's shop can read goes into the APK.
    dependenciesInfo {
        includeInApk = false
        includeInBundle = false
    }

    // Its tests run by `cargo xtask test --layer android`.
    sourceSets.getByName("test") {
        kotlin.setSrcDirs(emptyList<String>())
    }
}

kotlin {
    jvmToolchain(libs.versions.jvm.target.get().toInt())
}

dependencies {
    implementation(project(":shell"))
    implementation(libs.bundles.packaged.aars)
    implementation(libs.bundles.packaged.jars)
    implementation(libs.jna) {
        artifact {
            type = "aar"
        }
    }
}
