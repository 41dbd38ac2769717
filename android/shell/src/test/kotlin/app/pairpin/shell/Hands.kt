// A person's hands and a phone's platform in the tests: approval keys in memory, a camera of pictures, preferences.
package app.pairpin.shell

import app.pairpin.testkit.Frame
import app.pairpin.testkit.MemorySigner
import java.util.concurrent.CopyOnWriteArrayList
import kotlin.concurrent.thread
import kotlinx.coroutines.flow.MutableStateFlow

/** A chip's approval keys, and the person at the prompt. */
class MemoryApprovalKeys : ApprovalKeys {
    private val signer = MemorySigner()
    private val ended = HashSet<String>()

    /** What the person does at the next prompts. */
    @Volatile var person: Person = Person.SaysYes

    /** The phone has a lock. */
    @Volatile var locked = true

    /** The chip makes keys. */
    @Volatile var works = true

    /** The prompts that were shown. */
    val prompts = CopyOnWriteArrayList<Prompt>()

    enum class Person { SaysYes, Dismisses }

    /** The person enrols another finger: every key that there is ends, and is still found. */
    fun enrolAFinger() {
        ended += signer.keys.keys
    }

    override fun find(label: String): Holding =
        if (!locked) Holding.NoScreenLock else signer.publicKey(label)?.let { Holding.Key(it) } ?: Holding.None

    override fun create(label: String): Holding {
        if (!locked) return Holding.NoScreenLock
        if (!works) return Holding.None
        signer.delete(label)
        ended -= label
        return Holding.Key(signer.create(label))
    }

    override suspend fun sign(label: String, message: ByteArray, why: Prompt): Signing {
        if (label in ended) return Signing.KeyEnded
        prompts += why
        return when (person) {
            Person.SaysYes -> Signing.Signed(signer.sign(label, message))
            Person.Dismisses -> Signing.Cancelled
        }
    }
}

/** A camera that sees one thing, over and over, as long as it is open. */
class PictureCamera(access: CameraAccess, @Volatile var sees: Frame? = null) : Camera {
    override val access = MutableStateFlow(access)
    override val hasTorch = true

    /** What a person answers who is asked. */
    @Volatile var answer = CameraAccess.Allowed

    /** How often the person was asked. */
    @Volatile var asked = 0

    /** Whether it looks now. */
    @Volatile var open = false

    /** How often it was opened. */
    @Volatile var opened = 0

    @Volatile var lit = false

    override fun askForAccess() {
        asked++
        access.value = answer
    }

    override fun start(see: (CameraFrame) -> Unit) {
        check(!open) { "it is open" }
        open = true
        opened++
        val mine = opened
        thread(isDaemon = true) {
            while (open && opened == mine) {
                val frame = sees ?: continue
                see(CameraFrame(frame.plane, frame.width, frame.height, frame.stride))
            }
        }
    }

    override fun torch(on: Boolean) {
        lit = on
    }

    override fun stop() {
        open = false
        lit = false
    }
}

/** What a person chose, for as long as the test lasts. */
class MemoryPreferences : Preferences {
    override val deviceName = MutableStateFlow("Ana's phone")
    override val stayConnected = MutableStateFlow(false)

    override fun setDeviceName(name: String) {
        deviceName.value = name.ifBlank { "Ana's phone" }
    }

    override fun setStayConnected(on: Boolean) {
        stayConnected.value = on
    }
}

/** Notices as they stand on the phone. */
class MemoryNotices : Notices {
    val standing = MutableStateFlow(emptyList<Notice>())

    override fun tell(notice: Notice) {
        standing.value += notice
    }

    override fun withdraw(notice: Notice) {
        standing.value -= notice
    }
}
