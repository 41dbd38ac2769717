// What went wrong, for a person with the phone in the hand: the cause, and the next step. Every error of the core has
// both, in every language; a test looks for them.
package app.pairpin.app.texts

import androidx.annotation.StringRes
import app.pairpin.app.R
import app.pairpin.core.PairpinException
import kotlin.math.absoluteValue

/** The cause, and the next step; `detail` is for who wants to know more. */
data class Advice(val cause: Line, val step: Line, val detail: Line? = null)

/** The texts for an error. */
fun advice(error: PairpinException): Advice =
    when (error) {
        is PairpinException.NotOurs -> plain(R.string.error_not_ours, R.string.error_not_ours_step)
        is PairpinException.DamagedLink -> plain(R.string.error_damaged_link, R.string.error_damaged_link_step)
        is PairpinException.IsJoin -> plain(R.string.error_is_join, R.string.error_is_join_step)
        is PairpinException.IsSheet -> plain(R.string.error_is_sheet, R.string.error_is_sheet_step)
        is PairpinException.Version -> plain(R.string.error_version, R.string.error_version_step)
        is PairpinException.OfferExpired -> plain(R.string.error_offer_expired, R.string.error_offer_expired_step)
        is PairpinException.OfferUsed -> plain(R.string.error_offer_used, R.string.error_offer_used_step)
        is PairpinException.OfferWithdrawn -> plain(R.string.error_offer_withdrawn, R.string.error_offer_withdrawn_step)
        is PairpinException.OfferUnknown -> plain(R.string.error_offer_unknown, R.string.error_offer_unknown_step)
        is PairpinException.NotReachable -> notReachable(error)
        is PairpinException.Interrupted -> named(R.string.error_interrupted, error.name, R.string.error_interrupted_step)
        is PairpinException.NotPairpin -> named(R.string.error_not_pairpin, error.address, R.string.error_not_pairpin_step)
        is PairpinException.KeyChanged -> keyChanged(error)
        is PairpinException.KeyReplaced -> named(R.string.error_key_replaced, error.name, R.string.error_key_replaced_step)
        is PairpinException.KeyCopied -> named(R.string.error_key_copied, error.name, R.string.error_key_copied_step)
        is PairpinException.Revoked -> revoked(error)
        is PairpinException.Suspended -> named(R.string.error_suspended, error.name, R.string.error_suspended_step)
        is PairpinException.SessionEnded -> sessionEnded(error)
        is PairpinException.PairAgain -> named(R.string.error_pair_again, error.name, R.string.error_pair_again_step)
        is PairpinException.CodeWrong -> codeWrong(error)
        is PairpinException.NotACode -> plain(R.string.error_not_a_code, R.string.error_not_a_code_step)
        is PairpinException.CodeClosed -> plain(R.string.error_code_closed, R.string.error_code_closed_step)
        is PairpinException.TooLate -> plain(R.string.error_too_late, R.string.error_too_late_step)
        is PairpinException.JoinRefused -> plain(R.string.error_join_refused, R.string.error_join_refused_step)
        is PairpinException.NotThatJoin -> plain(R.string.error_not_that_join, R.string.error_not_that_join_step)
        is PairpinException.NotOurMachine -> plain(R.string.error_not_our_machine, R.string.error_not_our_machine_step)
        is PairpinException.JoinerRevoked ->
            named(R.string.error_joiner_revoked, error.name, R.string.error_joiner_revoked_step)
        is PairpinException.NotAllowed -> named(R.string.error_not_allowed, error.name, R.string.error_not_allowed_step)
        is PairpinException.NoApprovalKey ->
            named(R.string.error_no_approval_key, error.name, R.string.error_no_approval_key_step)
        is PairpinException.Gone -> named(R.string.error_gone, error.name, R.string.error_gone_step)
        is PairpinException.LastOwner -> named(R.string.error_last_owner, error.name, R.string.error_last_owner_step)
        is PairpinException.OnItself -> plain(R.string.error_on_itself, R.string.error_on_itself_step)
        is PairpinException.Full -> plain(R.string.error_full, R.string.error_full_step)
        is PairpinException.MachineFailed -> plain(R.string.error_machine_failed, R.string.error_machine_failed_step)
        is PairpinException.Cancelled -> plain(R.string.error_cancelled, R.string.error_cancelled_step)
        is PairpinException.Address -> plain(R.string.error_address, R.string.error_address_step)
        is PairpinException.Name -> plain(R.string.error_name, R.string.error_name_step)
        is PairpinException.NoSuchMachine -> plain(R.string.error_no_such_machine, R.string.error_no_such_machine_step)
        is PairpinException.KeysGone -> named(R.string.error_keys_gone, error.name, R.string.error_keys_gone_step)
        is PairpinException.Keys -> told(R.string.error_keys, R.string.error_keys_step, error.why)
        is PairpinException.StateDamaged -> told(R.string.error_state_damaged, R.string.error_state_damaged_step, error.why)
        is PairpinException.State -> told(R.string.error_state, R.string.error_state_step, error.why)
    }

private fun plain(@StringRes cause: Int, @StringRes step: Int) = Advice(line(cause), line(step))

private fun named(@StringRes cause: Int, name: String, @StringRes step: Int) = Advice(line(cause, name), line(step))

/** What the core or the platform says of it is added: it names the cause more closely, and no secret. */
private fun told(@StringRes cause: Int, @StringRes step: Int, why: String) =
    Advice(line(cause), line(step), Line.Said(why))

private fun notReachable(error: PairpinException.NotReachable) =
    Advice(
        line(R.string.error_not_reachable, error.name),
        if (error.networks.isEmpty()) line(R.string.error_not_reachable_offline_step)
        else line(R.string.error_not_reachable_step, error.networks.joinToString()),
        error.tried.takeIf { it.isNotEmpty() }?.let { Line.Said(it.joinToString(separator = System.lineSeparator())) },
    )

private fun keyChanged(error: PairpinException.KeyChanged) =
    Advice(
        error.name?.let { line(R.string.error_key_changed, it) } ?: line(R.string.error_key_changed_unknown),
        line(R.string.error_key_changed_step),
        line(R.string.error_key_changed_seen, error.seen),
    )

private fun revoked(error: PairpinException.Revoked) =
    Advice(
        error.by?.let { line(R.string.error_revoked_by, error.name, it) } ?: line(R.string.error_revoked, error.name),
        line(R.string.error_revoked_step),
        error.reason?.let { line(R.string.reason_given, it) },
    )

private fun sessionEnded(error: PairpinException.SessionEnded): Advice {
    val skew = error.skewSeconds
    return Advice(
        line(R.string.error_session_ended, error.name),
        if (skew == null) line(R.string.error_session_ended_step)
        else line(R.string.error_session_ended_clock_step, (skew.absoluteValue + 59) / 60),
    )
}

private fun codeWrong(error: PairpinException.CodeWrong) =
    Advice(
        line(R.string.error_code_wrong),
        if (error.triesLeft == 0u) line(R.string.error_code_wrong_last_step)
        else Line.Counted(R.plurals.error_code_wrong_step, error.triesLeft.toInt()),
    )
