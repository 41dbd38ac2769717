// The words for what the core names: roles, networks, platforms, keys, and why something cannot be done.
package app.pairpin.app.texts

import androidx.compose.ui.graphics.vector.ImageVector
import app.pairpin.app.R
import app.pairpin.app.platform.KeyProtection
import app.pairpin.app.theme.Icons
import app.pairpin.core.AddressWord
import app.pairpin.core.DeviceHindrance
import app.pairpin.core.Ending
import app.pairpin.core.Hindrance
import app.pairpin.core.KeyHolder
import app.pairpin.core.RoleName
import app.pairpin.shell.Hint

/** The role's name. */
val RoleName.word: Int
    get() =
        when (this) {
            RoleName.VIEWER -> R.string.role_viewer
            RoleName.OPERATOR -> R.string.role_operator
            RoleName.OWNER -> R.string.role_owner
        }

/** What the role may do. */
val RoleName.meaning: Int
    get() =
        when (this) {
            RoleName.VIEWER -> R.string.role_viewer_means
            RoleName.OPERATOR -> R.string.role_operator_means
            RoleName.OWNER -> R.string.role_owner_means
        }

/** The network that an address belongs to. */
val AddressWord.word: Int
    get() =
        when (this) {
            AddressWord.LAN -> R.string.network_lan
            AddressWord.TAILNET -> R.string.network_tailnet
            AddressWord.TUNNEL -> R.string.network_tunnel
            AddressWord.PUBLIC -> R.string.network_public
            AddressWord.CONTAINER -> R.string.network_container
            AddressWord.LOOPBACK -> R.string.network_loopback
            AddressWord.ADVERTISED -> R.string.network_advertised
        }

/** What holds this phone's keys for a machine. */
val KeyHolder.word: Int
    get() =
        when (this) {
            KeyHolder.HARDWARE -> R.string.keys_hardware
            KeyHolder.KEYRING -> R.string.keys_keyring
            KeyHolder.FILE -> R.string.keys_file
        }

/** What holds the keys of approval, as far as the phone tells. */
val KeyProtection.word: Int
    get() =
        when (this) {
            KeyProtection.StrongBox -> R.string.protection_strongbox
            KeyProtection.TrustedEnvironment -> R.string.protection_tee
            KeyProtection.Software -> R.string.protection_software
            KeyProtection.Unknown -> R.string.protection_unknown
        }

/** Why something on a machine cannot be done now. */
fun why(hindrance: Hindrance): Line =
    when (hindrance) {
        is Hindrance.NotConnected -> line(R.string.why_not_connected)
        is Hindrance.Role ->
            when (hindrance.least) {
                RoleName.VIEWER -> line(R.string.why_role_viewer)
                RoleName.OPERATOR -> line(R.string.why_role_operator)
                RoleName.OWNER -> line(R.string.why_role_owner)
            }
        is Hindrance.NotPaired -> line(R.string.why_not_paired)
        is Hindrance.HardStop -> line(R.string.why_hard_stop)
        is Hindrance.ForgetFirst -> line(R.string.why_forget_first)
        is Hindrance.NotNeeded -> line(R.string.why_not_needed)
    }

/** Why something about a device cannot be done. */
fun why(hindrance: DeviceHindrance): Line =
    when (hindrance) {
        DeviceHindrance.ON_ITSELF -> line(R.string.why_on_itself)
        DeviceHindrance.LAST_OWNER -> line(R.string.why_last_owner)
        DeviceHindrance.NOT_NEEDED -> line(R.string.why_not_needed)
    }

/** How a request ended. */
fun ending(how: Ending): Line =
    when (how) {
        is Ending.Yes -> how.by?.let { line(R.string.ended_yes_by, it) } ?: line(R.string.ended_yes)
        is Ending.No -> how.by?.let { line(R.string.ended_no_by, it) } ?: line(R.string.ended_no)
        is Ending.Withdrawn -> line(R.string.ended_withdrawn)
        is Ending.Expired -> line(R.string.ended_expired)
        is Ending.Unknown -> line(R.string.ended_unknown)
    }

/** What the last attempt came to, and the way on. */
fun advice(hint: Hint): Advice =
    when (hint) {
        is Hint.Cancelled -> Advice(line(R.string.hint_cancelled), line(R.string.hint_cancelled_step))
        is Hint.NoScreenLock -> Advice(line(R.string.hint_no_screen_lock), line(R.string.hint_no_screen_lock_step))
        is Hint.NoFingerprint -> Advice(line(R.string.hint_no_fingerprint), line(R.string.hint_no_fingerprint_step))
        is Hint.KeyNotMade -> Advice(line(R.string.hint_key_not_made), line(R.string.hint_key_not_made_step))
        is Hint.KeyGone -> Advice(line(R.string.hint_key_gone), line(R.string.hint_key_gone_step))
        is Hint.NoNumber -> Advice(line(R.string.hint_no_number), line(R.string.hint_no_number_step))
        is Hint.Failed -> advice(hint.error)
    }

/** A picture for a platform, as a device or machine names it itself. */
fun deviceIcon(platform: String): ImageVector {
    val says = platform.lowercase()
    return if (PHONES.any { it in says }) Icons.Phone else Icons.Laptop
}

private val PHONES = listOf("android", "ios", "iphone")
