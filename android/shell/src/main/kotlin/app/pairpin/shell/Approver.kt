// A person's yes: this phone's approval key is brought to the machine where it has to be, signs, and the machine is
// told. Every presenter that decides something does it through here.
package app.pairpin.shell

import app.pairpin.core.ApprovalStanding
import app.pairpin.core.Decision
import app.pairpin.core.Done
import app.pairpin.core.PairpinApp
import app.pairpin.core.PairpinException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext

/** What came of a person's yes. */
sealed interface Approval {
    /** The machine has it. */
    data class Given(val done: Done) : Approval

    /** Nothing was decided. */
    data class Not(val hint: Hint) : Approval
}

/** Why something is still to be decided after an attempt. */
sealed interface Hint {
    /** The prompt was dismissed. */
    data object Cancelled : Hint

    /** The phone has no screen lock, so nobody can approve with it. */
    data object NoScreenLock : Hint

    /** The phone makes approval keys only where a finger or face is enrolled, and none is. */
    data object NoFingerprint : Hint

    /** The phone's chip made no approval key. */
    data object KeyNotMade : Hint

    /** The approval key of this phone is gone: a fresh offer, another owner or the machine's shell brings another. */
    data object KeyGone : Hint

    /** What was typed is no number of a joiner; nothing was sent. */
    data object NoNumber : Hint

    /** Anything else, to be tried again. */
    data class Failed(val error: PairpinException) : Hint
}

/** The one place where something is signed by the approval key. */
class Approver(private val app: PairpinApp, private val keys: ApprovalKeys) {
    /** Prepares, asks the person by a prompt, and submits. A key that the machine has not is a hint, else it throws. */
    suspend fun approve(row: Long, prompt: Prompt, prepare: suspend () -> Decision): Approval =
        try {
            bring(row)?.let(Approval::Not) ?: sign(prepare(), prompt)
        } catch (_: PairpinException.NoApprovalKey) {
            Approval.Not(Hint.KeyGone)
        }

    /** Sees to it that the machine has this phone's approval key; why not, where that cannot be. */
    private suspend fun bring(row: Long): Hint? {
        val label = app.approvalLabel(row)
        val own =
            when (val found = chip { find(label) }) {
                is Holding.NoScreenLock -> return Hint.NoScreenLock
                is Holding.Key -> found.publicKey
                is Holding.None, is Holding.NoFingerprint -> null
            }
        return when (app.approvalStanding(row, own)) {
            ApprovalStanding.READY -> null
            ApprovalStanding.GONE -> Hint.KeyGone
            ApprovalStanding.TO_BRING -> {
                val brought = own?.let { enrol(row, it) }
                // A key that has ended is still found; another takes its place.
                if (own != null && brought != Hint.KeyGone) return brought
                when (val made = chip { create(label) }) {
                    is Holding.Key -> enrol(row, made.publicKey)
                    is Holding.NoScreenLock -> Hint.NoScreenLock
                    is Holding.NoFingerprint -> Hint.NoFingerprint
                    is Holding.None -> Hint.KeyNotMade
                }
            }
        }
    }

    /** A chip takes its time: not on the thread that draws. */
    private suspend fun chip(step: ApprovalKeys.() -> Holding): Holding = withContext(Dispatchers.IO) { keys.step() }

    private suspend fun enrol(row: Long, key: ByteArray): Hint? =
        when (val enrolled = sign(app.prepareEnrol(row, key), Prompt.BringKey)) {
            is Approval.Given -> null
            is Approval.Not -> enrolled.hint
        }

    private suspend fun sign(decision: Decision, prompt: Prompt): Approval =
        when (val signing = keys.sign(decision.keyLabel(), decision.toSign(), prompt)) {
            is Signing.Signed -> Approval.Given(decision.submit(signing.signature))
            is Signing.Cancelled -> Approval.Not(Hint.Cancelled)
            is Signing.KeyEnded -> Approval.Not(Hint.KeyGone)
        }
}
