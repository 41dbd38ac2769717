// The approval keys of this phone: one for each machine, in the Keystore, with a person at each use.
package app.pairpin.app.platform

import android.app.Activity
import android.app.KeyguardManager
import android.content.Context
import android.hardware.biometrics.BiometricPrompt
import android.os.Build.VERSION.SDK_INT
import android.os.CancellationSignal
import android.security.keystore.KeyInfo
import android.security.keystore.KeyPermanentlyInvalidatedException
import app.pairpin.app.R
import app.pairpin.shell.ApprovalKeys
import app.pairpin.shell.Holding
import app.pairpin.shell.Prompt
import app.pairpin.shell.Signing
import java.security.GeneralSecurityException
import java.security.InvalidAlgorithmParameterException
import java.security.KeyFactory
import java.security.PrivateKey
import java.security.ProviderException
import java.security.Signature
import java.security.UnrecoverableKeyException
import kotlin.coroutines.resume
import kotlinx.coroutines.CancellableContinuation
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.suspendCancellableCoroutine
import kotlinx.coroutines.withContext

/**
 * Approval keys in the Android Keystore.
 *
 * Where a finger or face is enrolled, a key asks for it and for nothing else, and ends when another is enrolled. A key
 * that took the screen lock as well would outlive that: the Keystore then binds it to the lock alone. Where none is
 * enrolled, a key asks for the screen lock. Android 9 and 10 have no such keys for the screen lock: there a finger or
 * face must be enrolled.
 *
 * `activity` gives what is on the screen: without it nobody can be asked.
 */
class KeystoreApprovalKeys(private val context: Context, private val activity: () -> Activity?) : ApprovalKeys {
    override fun hasScreenLock(): Boolean = context.service<KeyguardManager>().isDeviceSecure

    override fun find(label: String): Holding {
        if (!hasScreenLock()) return Holding.NoScreenLock
        return try {
            keystore().getCertificate(alias(label))?.let { Holding.Key(pointOf(it.publicKey)) } ?: Holding.None
        } catch (_: GeneralSecurityException) {
            Holding.None
        } catch (_: ProviderException) {
            Holding.None
        }
    }

    override fun create(label: String): Holding {
        if (!hasScreenLock()) return Holding.NoScreenLock
        return try {
            keystore().deleteEntry(alias(label))
            val made =
                makeSigningKey(alias(label)) {
                    setUserAuthenticationRequired(true)
                    setInvalidatedByBiometricEnrollment(true)
                    if (SDK_INT >= 30) Since30.eachUse(this, Since30.hasBiometrics(context))
                }
            Holding.Key(pointOf(made))
        } catch (_: InvalidAlgorithmParameterException) {
            // Nothing that such a key could be bound to is enrolled. From Android 11 on the screen lock is enough.
            if (SDK_INT < 30) Holding.NoFingerprint else Holding.None
        } catch (_: GeneralSecurityException) {
            Holding.None
        } catch (_: ProviderException) {
            Holding.None
        }
    }

    override suspend fun sign(label: String, message: ByteArray, why: Prompt): Signing {
        val prepared =
            try {
                withContext(Dispatchers.IO) { prepare(label) } ?: return Signing.KeyEnded
            } catch (_: KeyPermanentlyInvalidatedException) {
                return Signing.KeyEnded
            } catch (_: UnrecoverableKeyException) {
                return Signing.KeyEnded
            } catch (_: GeneralSecurityException) {
                // The Keystore does not answer: nothing was signed, and it can be tried again.
                return Signing.Cancelled
            } catch (_: ProviderException) {
                return Signing.Cancelled
            }
        val (signature, biometric) = prepared
        return when (withContext(Dispatchers.Main) { ask(signature, biometric, why) }) {
            null -> Signing.Cancelled
            else -> withContext(Dispatchers.IO) { finish(signature, message) }
        }
    }

    /** A signature that waits for the person, and what it asks them for. */
    private fun prepare(label: String): Pair<Signature, Boolean>? {
        val key = keystore().getKey(alias(label), null) as PrivateKey? ?: return null
        return Signature.getInstance("SHA256withECDSA").apply { initSign(key) } to isBiometric(key)
    }

    private fun finish(signature: Signature, message: ByteArray): Signing =
        try {
            signature.update(message)
            Signing.Signed(signature.sign())
        } catch (_: GeneralSecurityException) {
            // The chip wants the person again: nothing was signed.
            Signing.Cancelled
        } catch (_: ProviderException) {
            Signing.Cancelled
        }

    private fun isBiometric(key: PrivateKey): Boolean {
        val info = KeyFactory.getInstance(key.algorithm, KEYSTORE).getKeySpec(key, KeyInfo::class.java)
        return if (SDK_INT >= 30) Since30.isBiometric(info) else true
    }

    /** Asks the person; null where they say no, or nobody is there. */
    private suspend fun ask(signature: Signature, biometric: Boolean, why: Prompt): Unit? {
        val on = activity() ?: return null
        return suspendCancellableCoroutine { waiting ->
            val prompt = BiometricPrompt.Builder(on).setTitle(on.getString(title(why))).setDescription(on.getString(R.string.prompt_about))
            if (SDK_INT >= 30) Since30.allow(prompt, biometric)
            if (biometric) {
                prompt.setNegativeButton(on.getString(R.string.prompt_cancel), on.mainExecutor) { _, _ -> waiting.done(null) }
            }
            val signal = CancellationSignal()
            waiting.invokeOnCancellation { signal.cancel() }
            prompt.build().authenticate(BiometricPrompt.CryptoObject(signature), signal, on.mainExecutor, Told(waiting))
        }
    }

    /** What the prompt tells. A finger that is not known is told by the prompt itself, and tried again. */
    private class Told(private val waiting: CancellableContinuation<Unit?>) : BiometricPrompt.AuthenticationCallback() {
        override fun onAuthenticationSucceeded(result: BiometricPrompt.AuthenticationResult) = waiting.done(Unit)

        override fun onAuthenticationError(code: Int, text: CharSequence?) = waiting.done(null)
    }

    internal companion object {
        fun alias(label: String) = "approval.$label"

        private fun CancellableContinuation<Unit?>.done(what: Unit?) {
            if (isActive) resume(what)
        }

        /** What the prompt says that the signature is for. */
        fun title(why: Prompt): Int =
            when (why) {
                Prompt.BringKey -> R.string.prompt_bring_key
                Prompt.SayYes -> R.string.prompt_say_yes
                Prompt.LetIn -> R.string.prompt_let_in
                Prompt.Invite -> R.string.prompt_invite
                Prompt.Revoke -> R.string.prompt_revoke
                Prompt.Change -> R.string.prompt_change
            }
    }
}
