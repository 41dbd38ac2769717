// Where tokens and recognition keys lie: a file for each, encrypted by a key of the Keystore, out of every backup.
package app.pairpin.app.platform

import android.content.Context
import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyProperties
import app.pairpin.app.R
import app.pairpin.core.KeyHolder
import app.pairpin.core.SecretStore
import app.pairpin.core.StoreException
import java.io.File
import java.io.FileOutputStream
import java.io.IOException
import java.nio.channels.FileChannel
import java.nio.file.Files
import java.nio.file.StandardCopyOption.ATOMIC_MOVE
import java.nio.file.StandardCopyOption.REPLACE_EXISTING
import java.nio.file.StandardOpenOption.READ
import java.security.GeneralSecurityException
import java.security.MessageDigest
import java.security.ProviderException
import javax.crypto.Cipher
import javax.crypto.KeyGenerator
import javax.crypto.SecretKey
import javax.crypto.spec.GCMParameterSpec

/** The key that a store is encrypted by. */
interface StoreKey {
    /** It, or null while there is none. */
    fun find(): SecretKey?

    /** Makes it. */
    fun create(): SecretKey
}

/** The store's key in the Android Keystore. It never leaves it, so a copy of the files is worth nothing elsewhere. */
class KeystoreStoreKey : StoreKey {
    override fun find() = keystore().getKey(ALIAS, null) as SecretKey?

    override fun create(): SecretKey {
        val spec =
            KeyGenParameterSpec.Builder(ALIAS, KeyProperties.PURPOSE_ENCRYPT or KeyProperties.PURPOSE_DECRYPT)
                .setBlockModes(KeyProperties.BLOCK_MODE_GCM)
                .setEncryptionPaddings(KeyProperties.ENCRYPTION_PADDING_NONE)
                .setKeySize(256)
                .build()
        return KeyGenerator.getInstance(KeyProperties.KEY_ALGORITHM_AES, KEYSTORE).run {
            init(spec)
            generateKey()
        }
    }

    private companion object {
        const val ALIAS = "store"
    }
}

/**
 * A file for each secret, in `directory`: a version, the nonce, and AES-GCM of the secret, bound to its name. What
 * cannot be read is an error, never an absent secret.
 */
class KeystoreStore(
    private val context: Context,
    private val directory: File,
    private val key: StoreKey,
    private val held: () -> KeyHolder,
) : SecretStore {
    override fun holder(): KeyHolder = held()

    override fun get(name: String): ByteArray? = guarded {
        val file = fileOf(name)
        if (!file.exists()) return@guarded null
        val bytes = file.readBytes()
        if (bytes.size < HEAD + TAG || bytes[0] != VERSION) throw damaged()
        val cipher = Cipher.getInstance(CIPHER)
        cipher.init(Cipher.DECRYPT_MODE, key.find() ?: throw damaged(), GCMParameterSpec(TAG * 8, bytes, 1, NONCE))
        cipher.updateAAD(name.toByteArray())
        cipher.doFinal(bytes, HEAD, bytes.size - HEAD)
    }

    override fun put(name: String, secret: ByteArray) = guarded {
        Files.createDirectories(directory.toPath())
        val cipher = Cipher.getInstance(CIPHER)
        cipher.init(Cipher.ENCRYPT_MODE, key.find() ?: made())
        cipher.updateAAD(name.toByteArray())
        val sealed = byteArrayOf(VERSION) + cipher.iv + cipher.doFinal(secret)
        val file = fileOf(name)
        val fresh = File(directory, file.name + ".new")
        FileOutputStream(fresh).use {
            it.write(sealed)
            it.fd.sync()
        }
        Files.move(fresh.toPath(), file.toPath(), ATOMIC_MOVE, REPLACE_EXISTING)
        settle()
    }

    override fun delete(name: String) = guarded {
        if (Files.deleteIfExists(fileOf(name).toPath())) settle()
    }

    /** The first secret makes the key. Where there are others already, their key is gone, and they with it. */
    private fun made(): SecretKey {
        if (directory.listFiles().orEmpty().any { it.name.endsWith(SEALED) }) throw damaged()
        return key.create()
    }

    /** The directory's names are on the disk, too, once this returns. */
    private fun settle() = FileChannel.open(directory.toPath(), READ).use { it.force(true) }

    private fun fileOf(name: String): File {
        val digest = MessageDigest.getInstance("SHA-256").digest(name.toByteArray())
        return File(directory, digest.joinToString("") { "%02x".format(it) } + SEALED)
    }

    private fun damaged() = StoreException.Failed(context.getString(R.string.store_damaged))

    private fun <T> guarded(work: () -> T): T =
        try {
            work()
        } catch (_: IOException) {
            throw StoreException.Failed(context.getString(R.string.store_full))
        } catch (_: javax.crypto.AEADBadTagException) {
            throw damaged()
        } catch (_: GeneralSecurityException) {
            throw StoreException.Failed(context.getString(R.string.store_locked))
        } catch (_: ProviderException) {
            throw StoreException.Failed(context.getString(R.string.store_locked))
        }

    private companion object {
        const val CIPHER = "AES/GCM/NoPadding"
        const val VERSION: Byte = 1
        const val NONCE = 12
        const val TAG = 16
        const val HEAD = 1 + NONCE
        const val SEALED = ".sealed"
    }
}
