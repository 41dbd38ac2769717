// A person's hands in the tests: approval keys in memory, with a person who says yes, no, or enrols a finger.
package app.pairpin.shell

import app.pairpin.testkit.MemorySigner

class MemoryApprovalKeys : ApprovalKeys {
    val signer = MemorySigner()

    /** What the person does at the next prompts. */
    @Volatile var person: Person = Person.SaysYes
    val prompts = mutableListOf<Prompt>()

    enum class Person { SaysYes, Dismisses, HasEnrolledAFinger, HasNoScreenLock }

    override fun find(label: String): Holding =
        when (person) {
            Person.HasNoScreenLock -> Holding.NoScreenLock
            else -> signer.publicKey(label)?.let { Holding.Key(it) } ?: Holding.None
        }

    override fun create(label: String): Holding {
        if (person == Person.HasNoScreenLock) return Holding.NoScreenLock
        signer.delete(label)
        return Holding.Key(signer.create(label))
    }

    override suspend fun sign(label: String, message: ByteArray, why: Prompt): Signing {
        prompts += why
        return when (person) {
            Person.SaysYes -> Signing.Signed(signer.sign(label, message))
            Person.HasEnrolledAFinger -> Signing.KeyEnded
            else -> Signing.Cancelled
        }
    }
}
