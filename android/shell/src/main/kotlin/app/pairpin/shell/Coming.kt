// What the face has in its next version, so that presenters and screens are written against it now.
package app.pairpin.core

typealias InboxItem = InboxView

data class PairPreview(
    val name: String,
    val platform: String,
    val fingerprint: String,
    val address: String,
    val kind: AddressWord,
    val role: RoleName,
    val question: PairQuestion,
)

fun Pairing.preview() =
    PairPreview(name(), platform(), fingerprint(), address(), AddressWord.ADVERTISED, role(), question())

fun Pairing.cancel() = Unit

fun againHelps(error: PairpinException): Boolean =
    error is PairpinException.NotReachable || error is PairpinException.Interrupted

suspend fun PairpinApp.beginCode(address: String, code: String): Pairing = throw PairpinException.NotPairpin(address + code)

suspend fun PairpinApp.askToJoin(address: String): Joining = throw PairpinException.NotPairpin(address)

data class JoinAsked(
    val text: String,
    val number: String?,
    val fingerprint: String,
    val address: String,
    val seconds: ULong,
)

data class JoinGrant(
    val name: String,
    val platform: String,
    val role: RoleName,
    val fingerprint: String,
    val address: String,
    val seconds: ULong,
)

interface Joining {
    fun asked(): JoinAsked

    suspend fun wait(): JoinGrant

    suspend fun typed(digits: String): Paired

    fun cancel()
}

data class QrModules(val side: UInt, val dark: ByteArray)

fun qrModules(text: String): QrModules? = null.also { text.length }

enum class DeviceAction { REVOKE, SET_ROLE, LIFT, FORGET_KEY }

enum class DeviceHindrance { ON_ITSELF, LAST_OWNER, NOT_NEEDED, NOT_CONNECTED }

data class DevicePossible(val action: DeviceAction, val whyNot: DeviceHindrance?)

val DeviceView.thisPhone: Boolean get() = false
val DeviceView.actions: List<DevicePossible> get() = DeviceAction.entries.map { DevicePossible(it, null) }
val MachineView.endsSoon: Long? get() = null
val InboxItem.whyNot: Hindrance? get() = null

enum class ApprovalStanding { READY, TO_BRING, GONE }

suspend fun PairpinApp.approvalStanding(row: Long, ownKey: ByteArray?): ApprovalStanding {
    val known = enrolledKey(row) ?: return ApprovalStanding.TO_BRING
    return if (ownKey != null && known.contentEquals(ownKey)) ApprovalStanding.READY else ApprovalStanding.GONE
}

data class NewsView(val row: Long, val machine: String, val number: ULong, val at: Long, val news: News)

sealed interface News {
    data class DeviceAdded(
        val name: String,
        val role: RoleName,
        val from: String,
        val again: Boolean,
        val offer: UInt?,
        val digits: String?,
    ) : News

    data class DeviceRevoked(val name: String, val by: String?, val reason: String?) : News

    data class Alarm(val from: String, val name: String?) : News

    data class RecoveryUsed(val from: String, val revoked: String) : News

    data class Notice(val user: String?, val text: String) : News

    data class Restored(val by: String, val revoked: String) : News

    data class DeviceChanged(val name: String, val role: RoleName, val by: String) : News
}

val ScreenState.news: List<NewsView> get() = emptyList()
val Done.Invited.number: UInt get() = 0u

fun PairpinApp.setDeviceName(name: String) {
    if (name.isBlank()) throw PairpinException.Name()
}

fun PairpinApp.diagnostics(): String = "pairpin"

/** The machine and the request that a scanned joiner is. */
data class ScannedJoin(val row: Long, val machine: String, val id: String)

suspend fun PairpinApp.joinOfScan(text: String): ScannedJoin {
    val row = machineOfJoin(text)
    val waiting = state().inbox.firstOrNull { it.row == row && it.request is Request.Join }
    return ScannedJoin(row, waiting?.machine.orEmpty(), waiting?.id.orEmpty())
}
