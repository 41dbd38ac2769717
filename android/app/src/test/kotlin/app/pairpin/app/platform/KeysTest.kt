package app.pairpin.app.platform

import android.app.Application
import android.app.KeyguardManager
import android.security.keystore.KeyProperties
import app.pairpin.core.KeyHolder
import app.pairpin.core.StoreException
import app.pairpin.shell.Holding
import app.pairpin.shell.Prompt
import app.pairpin.shell.Signing
import java.security.Signature
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertIs
import kotlin.test.assertNotEquals
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlinx.coroutines.runBlocking
import org.junit.After
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = Application::class)
class KeysTest {
    private val context = RuntimeEnvironment.getApplication()
    private val signer = KeystoreSigner(context)
    private val approvals = KeystoreApprovalKeys(context) { null }
    private val guard = shadowOf(context.service<KeyguardManager>())

    @Before
    fun install() {
        MemoryKeystore.install()
        guard.setIsDeviceSecure(true)
    }

    @After
    fun remove() = MemoryKeystore.remove()

    @Test
    fun `a session key is made once, in StrongBox, asks nobody, and signs`() {
        val key = signer.create("homebox")
        assertEquals(65, key.size)
        assertEquals(4, key[0])
        assertContentEquals(key, signer.publicKey("homebox"))
        val spec = MemoryKeystore.asked.single()
        assertTrue(spec.isStrongBoxBacked)
        assertFalse(spec.isUserAuthenticationRequired)
        val signature = signer.sign("homebox", "hello".toByteArray())
        val public = MemoryKeystore.keys.values.single().public
        fun holds(text: String) = Signature.getInstance("SHA256withECDSA").run { initVerify(public).also { update(text.toByteArray()) }; verify(signature) }
        assertTrue(holds("hello"))
        assertFalse(holds("hallo"), "the control")
        assertFailsWith<StoreException.Failed> { signer.create("homebox") }
        signer.delete("homebox")
        assertNull(signer.publicKey("homebox"))
        assertFailsWith<StoreException.Failed> { signer.sign("homebox", ByteArray(1)) }
    }

    @Test
    fun `without StrongBox a key is made in the trusted environment`() {
        MemoryKeystore.hasStrongBox = false
        signer.create("homebox")
        assertEquals(listOf(true, false), MemoryKeystore.asked.map { it.isStrongBoxBacked })
    }

    @Test
    fun `a Keystore that is not there is an error with a next step, and nothing is said to be in a chip`() {
        MemoryKeystore.remove()
        assertTrue("phone" in assertFailsWith<StoreException.Failed> { signer.publicKey("homebox") }.why)
        assertEquals(KeyProtection.Unknown, signer.protection)
        assertEquals(KeyHolder.KEYRING, signer.holder())
    }

    @Test
    fun `a point has 65 bytes whatever its numbers begin with`() {
        repeat(300) {
            MemoryKeystore.keys.clear()
            val key = signer.create("homebox")
            val point = (MemoryKeystore.keys.values.single().public as java.security.interfaces.ECPublicKey).w
            assertEquals(point.affineX, java.math.BigInteger(1, key.copyOfRange(1, 33)))
            assertEquals(point.affineY, java.math.BigInteger(1, key.copyOfRange(33, 65)))
        }
    }

    @Test
    fun `an approval key asks for the person at each use, and ends with another finger`() {
        assertIs<Holding.None>(approvals.find("homebox"))
        val made = assertIs<Holding.Key>(approvals.create("homebox"))
        assertContentEquals(made.publicKey, assertIs<Holding.Key>(approvals.find("homebox")).publicKey)
        val spec = MemoryKeystore.asked.single()
        assertTrue(spec.isUserAuthenticationRequired)
        assertTrue(spec.isInvalidatedByBiometricEnrollment)
        assertEquals(0, spec.userAuthenticationValidityDurationSeconds, "at each use")
        // Both together would be bound to the screen lock alone, and outlive another finger.
        val both = KeyProperties.AUTH_BIOMETRIC_STRONG or KeyProperties.AUTH_DEVICE_CREDENTIAL
        assertNotEquals(both, spec.userAuthenticationType)
        // A new one takes the place of the old.
        val other = assertIs<Holding.Key>(approvals.create("homebox"))
        assertFalse(made.publicKey.contentEquals(other.publicKey))
    }

    @Test
    fun `a phone without a screen lock holds no approval key`() {
        guard.setIsDeviceSecure(false)
        assertIs<Holding.NoScreenLock>(approvals.find("homebox"))
        assertIs<Holding.NoScreenLock>(approvals.create("homebox"))
        assertFalse(approvals.hasScreenLock())
        assertEquals(0, MemoryKeystore.asked.size)
        guard.setIsDeviceSecure(true)
        assertIs<Holding.Key>(approvals.create("homebox"), "the control")
    }

    @Test
    fun `a key that has ended says so, and so does one that is not there`() = runBlocking<Unit> {
        assertIs<Signing.KeyEnded>(approvals.sign("homebox", ByteArray(1), Prompt.SayYes))
        approvals.create("homebox")
        MemoryKeystore.ended += KeystoreApprovalKeys.alias("homebox")
        assertIs<Signing.KeyEnded>(approvals.sign("homebox", ByteArray(1), Prompt.SayYes))
    }

    @Test
    fun `each prompt says what the signature is for`() {
        val titles = Prompt.entries.map { context.getString(KeystoreApprovalKeys.title(it)) }
        assertEquals(Prompt.entries.size, titles.toSet().size)
    }
}
