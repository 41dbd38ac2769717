// What Android has from API level 31 on. Used only behind `SDK_INT >= 31`.
package app.pairpin.app.platform

import android.security.keystore.KeyInfo
import android.security.keystore.KeyProperties

internal object Since31 {
    /** What holds a key. */
    fun protection(info: KeyInfo): KeyProtection =
        when (info.securityLevel) {
            KeyProperties.SECURITY_LEVEL_STRONGBOX -> KeyProtection.StrongBox
            KeyProperties.SECURITY_LEVEL_TRUSTED_ENVIRONMENT, KeyProperties.SECURITY_LEVEL_UNKNOWN_SECURE ->
                KeyProtection.TrustedEnvironment
            KeyProperties.SECURITY_LEVEL_SOFTWARE -> KeyProtection.Software
            else -> KeyProtection.Unknown
        }
}
