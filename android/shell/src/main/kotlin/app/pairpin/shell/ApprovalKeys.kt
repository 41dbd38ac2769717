// The approval keys of a phone: one for each machine, in its chip, and a person at each use.
package app.pairpin.shell

/** What came of asking the chip for a signature. */
sealed interface Signing {
    /** The person was there; a DER signature. */
    class Signed(val signature: ByteArray) : Signing

    /** The person said no, or the prompt was dismissed: nothing was sent. */
    data object Cancelled : Signing

    /** The key ended, as it does when a new fingerprint is enrolled: it has to be brought anew. */
    data object KeyEnded : Signing
}

/** What came of looking for a key. */
sealed interface Holding {
    /** It is there; 65 bytes. */
    class Key(val publicKey: ByteArray) : Holding

    /** There is none under that label, or the chip made none. */
    data object None : Holding

    /** The phone has no screen lock, so it can hold none. */
    data object NoScreenLock : Holding

    /** The phone makes such keys only where a finger or face is enrolled, and none is. */
    data object NoFingerprint : Holding
}

/** Implemented over the Android Keystore by the app, in memory by the tests. */
interface ApprovalKeys {
    /** The key under `label`. */
    fun find(label: String): Holding

    /** Makes a key under `label`, in place of one that has ended. */
    fun create(label: String): Holding

    /** Asks the person, and signs. `why` is a line for the prompt. */
    suspend fun sign(label: String, message: ByteArray, why: Prompt): Signing

    /** Whether the phone has a screen lock. */
    fun hasScreenLock(): Boolean = find("") !is Holding.NoScreenLock
}

/** What a prompt for a fingerprint says; the app has the words. */
enum class Prompt {
    BringKey,
    SayYes,
    LetIn,
    Invite,
    Revoke,
    Change,
}
