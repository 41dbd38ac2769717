// The application of the tests: the real core, over a phone whose store, keys, camera and person are in memory.
package app.pairpin.app

import android.app.Activity
import android.view.Surface
import app.pairpin.app.platform.Dependencies
import app.pairpin.app.platform.KeyProtection
import app.pairpin.app.platform.PairpinApplication
import app.pairpin.app.platform.ViewCamera
import app.pairpin.core.PairpinApp
import app.pairpin.shell.ApprovalKeys
import app.pairpin.shell.CameraAccess
import app.pairpin.shell.CameraFrame
import app.pairpin.shell.Holding
import app.pairpin.shell.Preferences
import app.pairpin.shell.Prompt
import app.pairpin.shell.Signing
import app.pairpin.testkit.Frame
import app.pairpin.testkit.MemorySigner
import app.pairpin.testkit.Phone
import java.nio.file.Files
import java.util.concurrent.CopyOnWriteArrayList
import kotlin.concurrent.thread
import kotlinx.coroutines.flow.MutableStateFlow

/** Its activity is given what a [TestPhone] has. */
class TestApplication : PairpinApplication() {
    val phone = TestPhone()
    override val dependencies: Dependencies get() = phone
}

/** A phone in a person's hand. */
class TestPhone : Dependencies {
    private val phone = Phone(Files.createTempDirectory("pairpin-phone"))
    private var opened: PairpinApp? = null

    /** The open core. */
    val app: PairpinApp get() = checkNotNull(opened) { "not open yet" }

    override val approvalKeys = Finger()
    override val preferences = Chosen()
    override val camera = PictureCamera()

    override suspend fun core() = opened ?: phone.open().also { opened = it }

    override suspend fun moveAside() = error("nothing is damaged")

    override fun keyProtection() = KeyProtection.TrustedEnvironment

    override fun attach(activity: Activity) = Unit

    override fun detach(activity: Activity) = Unit

    /** Switched off. */
    fun end() {
        opened?.cancel()
        opened?.close()
    }
}

/** Approval keys, and the person who lays a finger on at each prompt. */
class Finger : ApprovalKeys {
    private val signer = MemorySigner()

    /** The prompts that were shown. */
    val prompts = CopyOnWriteArrayList<Prompt>()

    override fun find(label: String) = signer.publicKey(label)?.let { Holding.Key(it) } ?: Holding.None

    override fun create(label: String) = Holding.Key(signer.create(label))

    override suspend fun sign(label: String, message: ByteArray, why: Prompt): Signing {
        prompts += why
        return Signing.Signed(signer.sign(label, message))
    }

    override fun hasScreenLock() = true
}

/** What the person chose. */
class Chosen : Preferences {
    override val deviceName = MutableStateFlow("Ana's phone")
    override val stayConnected = MutableStateFlow(false)

    override fun setDeviceName(name: String) {
        deviceName.value = name
    }

    override fun setStayConnected(on: Boolean) {
        stayConnected.value = on
    }
}

/** A camera that sees one thing for as long as it is open. */
class PictureCamera : ViewCamera {
    override val access = MutableStateFlow(CameraAccess.Allowed)
    override val hasTorch = true

    @Volatile var sees: Frame? = null

    @Volatile private var opening = 0

    override fun showOn(surface: Surface?) = Unit

    override fun askForAccess() = Unit

    override fun start(see: (CameraFrame) -> Unit) {
        val mine = ++opening
        thread(isDaemon = true) {
            while (opening == mine) {
                val frame = sees
                if (frame == null) Thread.sleep(FRAME) else see(CameraFrame(frame.plane, frame.width, frame.height, frame.stride))
            }
        }
    }

    override fun torch(on: Boolean) = Unit

    override fun stop() {
        opening++
    }

    private companion object {
        const val FRAME = 20L
    }
}
