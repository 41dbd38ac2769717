// The Android Keystore, as the two kinds of keys need it: P-256 in the best place that the phone has.
package app.pairpin.app.platform

import android.os.Build.VERSION.SDK_INT
import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyInfo
import android.security.keystore.KeyProperties
import java.security.KeyFactory
import java.security.KeyPairGenerator
import java.security.KeyStore
import java.security.PrivateKey
import java.security.ProviderException
import java.security.PublicKey
import java.security.interfaces.ECPublicKey
import java.security.spec.ECGenParameterSpec

internal const val KEYSTORE = "AndroidKeyStore"

/** Opens the Keystore; it may throw whatever its provider does. */
internal fun keystore(): KeyStore = KeyStore.getInstance(KEYSTORE).apply { load(null) }

/** Makes a P-256 key for signatures, in StrongBox where there is one. `more` says what its use asks for. */
internal fun makeSigningKey(alias: String, more: KeyGenParameterSpec.Builder.() -> Unit): PublicKey {
    fun make(strongBox: Boolean): PublicKey {
        val spec =
            KeyGenParameterSpec.Builder(alias, KeyProperties.PURPOSE_SIGN)
                .setAlgorithmParameterSpec(ECGenParameterSpec("secp256r1"))
                .setDigests(KeyProperties.DIGEST_SHA256)
                .apply(more)
                .setIsStrongBoxBacked(strongBox)
                .build()
        val generator = KeyPairGenerator.getInstance(KeyProperties.KEY_ALGORITHM_EC, KEYSTORE)
        generator.initialize(spec)
        return generator.generateKeyPair().public
    }
    return try {
        make(strongBox = true)
    } catch (_: ProviderException) {
        // There is none, which is told as StrongBoxUnavailableException; or it does not do this, which chips tell in their own way.
        make(strongBox = false)
    }
}

/** What holds a key, as the Keystore tells of it. */
internal fun protectionOf(key: PrivateKey): KeyProtection {
    val info = KeyFactory.getInstance(key.algorithm, KEYSTORE).getKeySpec(key, KeyInfo::class.java)
    if (SDK_INT >= 31) return Since31.protection(info)
    // Before Android 12 it is not told whether it is StrongBox.
    @Suppress("DEPRECATION")
    return if (info.isInsideSecureHardware) KeyProtection.TrustedEnvironment else KeyProtection.Software
}

/** A public key as the core takes it: SEC 1, uncompressed, 65 bytes. */
internal fun pointOf(key: PublicKey): ByteArray {
    val point = (key as ECPublicKey).w
    val made = ByteArray(65)
    made[0] = 4
    listOf(point.affineX, point.affineY).forEachIndexed { index, number ->
        // As the library gives it: with a zero before it, or shorter.
        val digits = number.toByteArray().dropWhile { it == 0.toByte() }
        digits.forEachIndexed { at, digit -> made[1 + 32 * (index + 1) - digits.size + at] = digit }
    }
    return made
}
