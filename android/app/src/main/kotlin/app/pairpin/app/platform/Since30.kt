// What Android has from API level 30 on. Used only behind `SDK_INT >= 30`.
package app.pairpin.app.platform

import android.content.Context
import android.hardware.biometrics.BiometricManager
import android.hardware.biometrics.BiometricManager.Authenticators.BIOMETRIC_STRONG
import android.hardware.biometrics.BiometricManager.Authenticators.DEVICE_CREDENTIAL
import android.hardware.biometrics.BiometricPrompt
import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyInfo
import android.security.keystore.KeyProperties

internal object Since30 {
    /** Whether a finger or face is enrolled that keys may be bound to. */
    fun hasBiometrics(context: Context): Boolean =
        context.getSystemService(BiometricManager::class.java)?.canAuthenticate(BIOMETRIC_STRONG) ==
            BiometricManager.BIOMETRIC_SUCCESS

    /** The person at each use: by finger or face, or by the screen lock. */
    fun eachUse(spec: KeyGenParameterSpec.Builder, biometric: Boolean) {
        val by = if (biometric) KeyProperties.AUTH_BIOMETRIC_STRONG else KeyProperties.AUTH_DEVICE_CREDENTIAL
        spec.setUserAuthenticationParameters(0, by)
    }

    /** Whether a key asks for a finger or face. */
    fun isBiometric(info: KeyInfo): Boolean = info.userAuthenticationType and KeyProperties.AUTH_BIOMETRIC_STRONG != 0

    /** A prompt asks by what the key asks for. */
    fun allow(prompt: BiometricPrompt.Builder, biometric: Boolean) {
        prompt.setAllowedAuthenticators(if (biometric) BIOMETRIC_STRONG else DEVICE_CREDENTIAL)
    }
}
