// The session keys of this phone: one for each machine, in the Keystore. They ask nobody: they only say that it is
// this phone that connects.
package app.pairpin.app.platform

import android.content.Context
import app.pairpin.app.R
import app.pairpin.core.KeyHolder
import app.pairpin.core.SessionSigner
import app.pairpin.core.StoreException
import java.security.GeneralSecurityException
import java.security.KeyStore
import java.security.PrivateKey
import java.security.ProviderException
import java.security.Signature

/** Session keys in the Android Keystore. */
class KeystoreSigner(private val context: Context) : SessionSigner {
    /** What holds them: told by a key that is made once to see. */
    val protection: KeyProtection by lazy {
        try {
            val key = key(PROBE) ?: makeSigningKey(PROBE) {}.let { key(PROBE) }
            key?.let(::protectionOf) ?: KeyProtection.Unknown
        } catch (_: GeneralSecurityException) {
            KeyProtection.Unknown
        } catch (_: ProviderException) {
            KeyProtection.Unknown
        }
    }

    override fun holder(): KeyHolder =
        when (protection) {
            KeyProtection.StrongBox, KeyProtection.TrustedEnvironment -> KeyHolder.HARDWARE
            // The system's own service holds them, without a chip: that is said as it is.
            KeyProtection.Software, KeyProtection.Unknown -> KeyHolder.KEYRING
        }

    override fun create(label: String): ByteArray = guarded {
        if (keystore().containsAlias(alias(label))) throw StoreException.Failed(context.getString(R.string.key_there))
        pointOf(makeSigningKey(alias(label)) {})
    }

    override fun publicKey(label: String): ByteArray? = guarded {
        keystore().getCertificate(alias(label))?.publicKey?.let(::pointOf)
    }

    override fun sign(label: String, message: ByteArray): ByteArray = guarded {
        val key = key(alias(label)) ?: throw StoreException.Failed(context.getString(R.string.key_gone))
        Signature.getInstance("SHA256withECDSA").run {
            initSign(key)
            update(message)
            sign()
        }
    }

    override fun delete(label: String) = guarded { keystore().deleteEntry(alias(label)) }

    private fun key(alias: String): PrivateKey? = keystore().key(alias)

    private fun KeyStore.key(alias: String) = getKey(alias, null) as PrivateKey?

    /** Whatever the Keystore throws is a failure with a next step; its own text may name anything. */
    private fun <T> guarded(work: () -> T): T =
        try {
            work()
        } catch (_: GeneralSecurityException) {
            throw StoreException.Failed(context.getString(R.string.key_failed))
        } catch (_: ProviderException) {
            throw StoreException.Failed(context.getString(R.string.key_failed))
        } catch (_: IllegalStateException) {
            throw StoreException.Failed(context.getString(R.string.key_failed))
        }

    private companion object {
        const val PROBE = "probe"

        fun alias(label: String) = "session.$label"
    }
}
