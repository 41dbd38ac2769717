package app.pairpin.app.platform

import app.pairpin.core.KeyHolder
import app.pairpin.core.StoreException
import java.io.File
import javax.crypto.KeyGenerator
import javax.crypto.SecretKey
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertNull
import kotlin.test.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

/** A key in memory, as there is no Keystore on a plain JVM. */
private class MemoryStoreKey : StoreKey {
    var key: SecretKey? = null
    var made = 0

    override fun find() = key

    override fun create(): SecretKey {
        made++
        return KeyGenerator.getInstance("AES").apply { init(256) }.generateKey().also { key = it }
    }
}

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35])
class KeystoreStoreTest {
    @get:Rule val temporary = TemporaryFolder()
    private val key = MemoryStoreKey()
    private val directory by lazy { File(temporary.root, "secrets") }
    private val store by lazy { open() }

    private fun open() = KeystoreStore(RuntimeEnvironment.getApplication(), directory, key) { KeyHolder.HARDWARE }

    private fun files() = directory.listFiles().orEmpty().toList()

    @Test
    fun `a secret comes back, is replaced, and goes`() {
        assertNull(store.get("token/1"))
        store.put("token/1", byteArrayOf(1, 2, 3))
        store.put("token/1", byteArrayOf(4))
        store.put("token/2", byteArrayOf())
        assertContentEquals(byteArrayOf(4), open().get("token/1"))
        assertContentEquals(byteArrayOf(), open().get("token/2"))
        store.delete("token/1")
        store.delete("token/1")
        assertNull(open().get("token/1"))
        assertEquals(1, key.made, "one key for the whole store")
    }

    @Test
    fun `nothing of a secret or its name is to be read in the files`() {
        store.put("token of homebox", "very secret indeed".toByteArray())
        val all = files().joinToString { it.name + it.readText(Charsets.ISO_8859_1) }
        assertFalse("secret indeed" in all || "homebox" in all)
        // The control: it would be found.
        assertTrue("secret indeed" in all + "very secret indeed")
    }

    @Test
    fun `a file that was touched is an error, and never an absent secret`() {
        store.put("a", byteArrayOf(1, 2, 3))
        val file = files().single()
        val whole = file.readBytes()
        for (at in whole.indices) {
            file.writeBytes(whole.clone().also { it[at] = (it[at].toInt() xor 1).toByte() })
            assertFailsWith<StoreException.Failed>("byte $at") { store.get("a") }
        }
        for (length in whole.indices) {
            file.writeBytes(whole.copyOf(length))
            assertFailsWith<StoreException.Failed>("$length bytes of it") { store.get("a") }
        }
        // The control: untouched it is read.
        file.writeBytes(whole)
        assertContentEquals(byteArrayOf(1, 2, 3), store.get("a"))
    }

    @Test
    fun `one secret cannot be laid in the place of another`() {
        store.put("a", byteArrayOf(1))
        val ofA = files().single()
        store.put("b", byteArrayOf(2))
        val ofB = (files() - ofA).single()
        ofA.copyTo(ofB, overwrite = true)
        assertFailsWith<StoreException.Failed> { store.get("b") }
        assertContentEquals(byteArrayOf(1), store.get("a"))
    }

    @Test
    fun `without its key the store is an error, not an empty one, and takes nothing more`() {
        store.put("a", byteArrayOf(1))
        key.key = null
        assertFailsWith<StoreException.Failed> { store.get("a") }
        assertFailsWith<StoreException.Failed> { store.put("b", byteArrayOf(2)) }
        assertEquals(1, key.made, "no new key beside secrets of an old one")
        // The control: an empty store makes its key.
        store.delete("a")
        store.put("b", byteArrayOf(2))
        assertEquals(2, key.made)
    }

    @Test
    fun `a write that was cut short leaves the older secret`() {
        store.put("a", byteArrayOf(1))
        val file = files().single()
        File(directory, file.name + ".new").writeBytes(byteArrayOf(1, 9, 9))
        assertContentEquals(byteArrayOf(1), open().get("a"))
        // The control: a file that is written in place and cut short is lost.
        file.writeBytes(file.readBytes().copyOf(20))
        assertFailsWith<StoreException.Failed> { open().get("a") }
    }

    @Test
    fun `a disk that cannot be written is an error with a next step`() {
        directory.writeBytes(byteArrayOf())
        val error = assertFailsWith<StoreException.Failed> { store.put("a", byteArrayOf(1)) }
        assertTrue("space" in error.why, error.why)
    }
}
