// A stand-in for the Android Keystore, which a plain JVM has not: keys in memory, and what was asked of each.
package app.pairpin.app.platform

import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyPermanentlyInvalidatedException
import android.security.keystore.StrongBoxUnavailableException
import java.io.InputStream
import java.io.OutputStream
import java.security.Key
import java.security.KeyPair
import java.security.KeyPairGenerator
import java.security.KeyPairGeneratorSpi
import java.security.KeyStoreSpi
import java.security.Provider
import java.security.SecureRandom
import java.security.Security
import java.security.UnrecoverableKeyException
import java.security.cert.Certificate
import java.security.spec.AlgorithmParameterSpec
import java.security.spec.ECGenParameterSpec
import java.util.Collections
import java.util.Date
import java.util.Enumeration

object MemoryKeystore {
    val keys = LinkedHashMap<String, KeyPair>()
    val asked = ArrayList<KeyGenParameterSpec>()
    var hasStrongBox = true
    val ended = HashSet<String>()

    /** Puts an empty one where the phone has its own. */
    fun install() {
        keys.clear()
        asked.clear()
        ended.clear()
        hasStrongBox = true
        Security.removeProvider("AndroidKeyStore")
        Security.addProvider(Memory())
    }

    fun remove() = Security.removeProvider("AndroidKeyStore")

    class Memory : Provider("AndroidKeyStore", "1", "keys in memory") {
        init {
            put("KeyStore.AndroidKeyStore", Store::class.java.name)
            put("KeyPairGenerator.EC", Generator::class.java.name)
        }
    }

    class Generator : KeyPairGeneratorSpi() {
        private lateinit var spec: KeyGenParameterSpec

        override fun initialize(size: Int, random: SecureRandom?) = error("not by size")

        override fun initialize(params: AlgorithmParameterSpec, random: SecureRandom?) {
            spec = params as KeyGenParameterSpec
        }

        override fun generateKeyPair(): KeyPair {
            asked += spec
            if (spec.isStrongBoxBacked && !hasStrongBox) throw StrongBoxUnavailableException()
            val made = KeyPairGenerator.getInstance("EC").apply { initialize(ECGenParameterSpec("secp256r1")) }.generateKeyPair()
            keys[spec.keystoreAlias] = made
            return made
        }
    }

    class Store : KeyStoreSpi() {
        override fun engineGetKey(alias: String, password: CharArray?): Key? {
            if (alias in ended) throw UnrecoverableKeyException().apply { initCause(KeyPermanentlyInvalidatedException()) }
            return keys[alias]?.private
        }

        override fun engineGetCertificate(alias: String): Certificate? =
            keys[alias]?.let { pair ->
                object : Certificate("none") {
                    override fun getPublicKey() = pair.public

                    override fun getEncoded() = ByteArray(0)

                    override fun verify(key: java.security.PublicKey?) = Unit

                    override fun verify(key: java.security.PublicKey?, provider: String?) = Unit

                    override fun toString() = "none"
                }
            }

        override fun engineDeleteEntry(alias: String) {
            keys.remove(alias)
            ended.remove(alias)
        }

        override fun engineContainsAlias(alias: String) = alias in keys

        override fun engineAliases(): Enumeration<String> = Collections.enumeration(keys.keys)

        override fun engineSize() = keys.size

        override fun engineIsKeyEntry(alias: String) = alias in keys

        override fun engineIsCertificateEntry(alias: String) = false

        override fun engineGetCertificateChain(alias: String): Array<Certificate>? = null

        override fun engineGetCreationDate(alias: String): Date? = null

        override fun engineGetCertificateAlias(certificate: Certificate?): String? = null

        override fun engineSetKeyEntry(alias: String?, key: Key?, password: CharArray?, chain: Array<out Certificate>?) = error("not here")

        override fun engineSetKeyEntry(alias: String?, key: ByteArray?, chain: Array<out Certificate>?) = error("not here")

        override fun engineSetCertificateEntry(alias: String?, certificate: Certificate?) = error("not here")

        override fun engineStore(stream: OutputStream?, password: CharArray?) = Unit

        override fun engineLoad(stream: InputStream?, password: CharArray?) = Unit
    }
}
