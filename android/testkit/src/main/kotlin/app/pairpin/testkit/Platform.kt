// What a phone brings, in memory: a store for secrets, and a chip's keys by the JVM's own cryptography.
package app.pairpin.testkit

import app.pairpin.core.AppSettings
import app.pairpin.core.KeyHolder
import app.pairpin.core.PairpinApp
import app.pairpin.core.SecretStore
import app.pairpin.core.SessionSigner
import app.pairpin.core.StoreException
import java.nio.file.Path
import java.security.KeyPair
import java.security.KeyPairGenerator
import java.security.Signature
import java.security.interfaces.ECPublicKey
import java.security.spec.ECGenParameterSpec
import java.util.concurrent.ConcurrentHashMap

class MemoryStore : SecretStore {
    val secrets = ConcurrentHashMap<String, ByteArray>()

    /** While set, every call fails, as a store does that is locked. */
    @Volatile var locked: String? = null

    /** Called before a secret is kept; what it throws is what the store says. */
    @Volatile var beforePut: (String) -> Unit = {}

    override fun holder() = KeyHolder.HARDWARE

    override fun get(name: String) = open().get(name)

    override fun put(name: String, secret: ByteArray) {
        beforePut(name)
        open()[name] = secret
    }

    override fun delete(name: String) {
        open().remove(name)
    }

    private fun open(): ConcurrentHashMap<String, ByteArray> {
        locked?.let { throw StoreException.Failed(it) }
        return secrets
    }
}

/** Session keys in the JVM. Its signatures are DER, as those of the Android Keystore are. */
class MemorySigner : SessionSigner {
    val keys = ConcurrentHashMap<String, KeyPair>()

    override fun holder() = KeyHolder.HARDWARE

    override fun create(label: String): ByteArray {
        val generator = KeyPairGenerator.getInstance("EC").apply { initialize(ECGenParameterSpec("secp256r1")) }
        val made = generator.generateKeyPair()
        if (keys.putIfAbsent(label, made) != null) throw StoreException.Failed("there is a key under that label")
        return point(made)
    }

    override fun publicKey(label: String) = keys[label]?.let(::point)

    override fun sign(label: String, message: ByteArray): ByteArray {
        val pair = keys[label] ?: throw StoreException.Failed("the key is gone")
        return Signature.getInstance("SHA256withECDSA").run {
            initSign(pair.private)
            update(message)
            sign()
        }
    }

    override fun delete(label: String) {
        keys.remove(label)
    }

    private fun point(pair: KeyPair): ByteArray {
        val w = (pair.public as ECPublicKey).w
        return byteArrayOf(4) + fixed(w.affineX.toByteArray()) + fixed(w.affineY.toByteArray())
    }

    private fun fixed(number: ByteArray): ByteArray {
        val digits = number.dropWhile { it == 0.toByte() }.toByteArray()
        return ByteArray(32 - digits.size) + digits
    }
}

/** A phone: its directory, store and chip, and the app on it. */
class Phone(
    private val directory: Path,
    private val name: String = "Ana's phone",
    val store: MemoryStore = MemoryStore(),
    val signer: MemorySigner = MemorySigner(),
) {
    /** Where the app's state is. */
    val state: Path = directory.resolve("state")

    /** Opens the app, as its start does. */
    suspend fun open(): PairpinApp =
        PairpinApp.open(AppSettings(state.toString(), name, "JVM"), store, signer, null)
}
