// Machines, devices and requests to look at: what previews and pictures show. Never shipped.
package app.pairpin.app.preview

import app.pairpin.core.ActionView
import app.pairpin.core.AddressWord
import app.pairpin.core.ClaimedFacts
import app.pairpin.core.DeviceAction
import app.pairpin.core.DeviceHindrance
import app.pairpin.core.DevicePossible
import app.pairpin.core.DeviceView
import app.pairpin.core.Hindrance
import app.pairpin.core.InboxItem
import app.pairpin.core.KeyHolder
import app.pairpin.core.KnownFacts
import app.pairpin.core.MachineCondition
import app.pairpin.core.MachineView
import app.pairpin.core.ObservedFacts
import app.pairpin.core.PairPreview
import app.pairpin.core.PairQuestion
import app.pairpin.core.Possible
import app.pairpin.core.QrModules
import app.pairpin.core.Request
import app.pairpin.core.RoleName

/** The moment of every picture: 21 November 2026, 12:00 UTC. */
const val NOON = 1_795_262_400_000L
private const val MINUTE = 60_000L
private const val DAY = 24 * 60 * MINUTE
const val FINGERPRINT = "K7QM 2XWD HNA4 Y6RB ZT3F VJ5C PLE2 U4SG"
const val OTHER_FINGERPRINT = "B3XN QJ6T 5WDL M2KA R7HV YC4E ZPU3 GF5S"

object Samples {
    val online = MachineCondition.Online("192.168.1.20:7747", AddressWord.LAN)
    val offline = MachineCondition.Offline(NOON - 25 * MINUTE, null)
    val revoked = MachineCondition.Revoked("Ben’s laptop", NOON - 3 * 60 * MINUTE, "phone sold")

    fun machine(
        name: String = "homebox",
        condition: MachineCondition = online,
        role: RoleName = RoleName.OWNER,
        row: Long = 1,
        endsSoon: Long? = null,
    ) = MachineView(
        row = row,
        name = name,
        machineName = if (name == "homebox") "homebox" else name.lowercase(),
        platform = "Debian 12 (aarch64)",
        fingerprint = FINGERPRINT,
        role = role,
        deviceName = "Ana’s phone",
        condition = condition,
        pairedAt = NOON - 40 * DAY,
        lastOnline = NOON - 5 * MINUTE,
        expiresAt = NOON + 140 * DAY,
        endsSoon = endsSoon,
        keys = KeyHolder.HARDWARE,
        actions = actionsOf(condition, role),
    )

    private fun actionsOf(condition: MachineCondition, role: RoleName): List<Possible> {
        val connected = if (condition is MachineCondition.Online) null else Hindrance.NotConnected
        val owner = if (role == RoleName.OWNER) connected else Hindrance.Role(RoleName.OWNER)
        val operator = if (role == RoleName.VIEWER) Hindrance.Role(RoleName.OPERATOR) else connected
        val fine = condition is MachineCondition.Online || condition is MachineCondition.Offline
        return listOf(
            Possible(ActionView.ANSWER, operator),
            Possible(ActionView.DEVICES, owner),
            Possible(ActionView.DECIDE, owner),
            Possible(
                ActionView.SCAN_AGAIN,
                when {
                    fine -> Hindrance.NotNeeded
                    condition is MachineCondition.KeysGone -> Hindrance.ForgetFirst
                    else -> null
                },
            ),
            Possible(ActionView.RENAME, null),
            Possible(ActionView.FORGET, null),
        )
    }

    val machines =
        listOf(
            machine(),
            machine("Workshop", offline, RoleName.OPERATOR, 2),
            machine("buildfarm-03", MachineCondition.Online("100.84.3.9:7747", AddressWord.TAILNET), RoleName.OPERATOR, 3, NOON + 6 * DAY),
            machine("attic", MachineCondition.KeyChanged(OTHER_FINGERPRINT), RoleName.OWNER, 4),
            machine("Office", revoked, RoleName.VIEWER, 5),
        )

    fun preview(question: PairQuestion = PairQuestion.New) =
        PairPreview("homebox", "Debian 12 (aarch64)", FINGERPRINT, "192.168.1.20:7747", AddressWord.LAN, RoleName.OWNER, question)

    val ask =
        Request.Ask(
            KnownFacts(1000u, "ana", 48213u),
            ObservedFacts("/usr/bin/pairpin", listOf("pairpin", "ask", "Deploy build 241 to production?"), 0u, "/srv/shop"),
            ClaimedFacts("Deploy build 241 to production?", "12 commits since build 240. All tests passed."),
        )

    fun join(byNumber: Boolean = true, revokedBy: String? = null) =
        Request.Join("Ana’s laptop", "Linux", "192.168.1.34", AddressWord.LAN, true, byNumber, revokedBy)

    fun item(request: Request, whyNot: Hindrance? = null, id: String = "a") =
        InboxItem(1, "homebox", id, NOON - MINUTE, NOON + 4 * MINUTE + 5_000, "", whyNot, request)

    private val all = DeviceAction.entries

    val devices =
        listOf(
            device("Ana’s phone", "Android 16", RoleName.OWNER, 1u, thisPhone = true) {
                if (it == DeviceAction.REVOKE || it == DeviceAction.SET_ROLE) DeviceHindrance.ON_ITSELF else DeviceHindrance.NOT_NEEDED
            },
            device("Ben’s laptop", "Linux", RoleName.OPERATOR, 2u) { if (it == DeviceAction.LIFT) DeviceHindrance.NOT_NEEDED else null },
            device("Kitchen tablet", "Android 13", RoleName.VIEWER, 0u) { null },
        )

    private fun device(
        name: String,
        platform: String,
        role: RoleName,
        connected: UInt,
        thisPhone: Boolean = false,
        whyNot: (DeviceAction) -> DeviceHindrance?,
    ) = DeviceView(
        id = name,
        name = name,
        platform = platform,
        role = role,
        connected = connected,
        pairedAt = NOON - 40 * DAY,
        lastSeen = NOON - 3 * DAY,
        suspended = if (name.startsWith("Kitchen")) "it used an old token" else null,
        expired = false,
        endsSoon = null,
        thisPhone = thisPhone,
        actions = all.map { DevicePossible(it, whyNot(it)) },
    )

    /** A picture that looks like a QR and says nothing: three corners, and a pattern. */
    val qr: QrModules by lazy {
        val side = 37
        val dark = ByteArray(side * side)
        for (y in 0 until side) for (x in 0 until side) dark[y * side + x] = ((x * 7 + y * 13 + x * y * 3 + x / 3 * (y / 2)) % 5 / 3).toByte()
        for ((left, top) in listOf(0 to 0, side - 7 to 0, 0 to side - 7)) {
            for (y in -1..7) {
                for (x in -1..7) {
                    val at = (top + y) to (left + x)
                    if (at.first !in 0 until side || at.second !in 0 until side) continue
                    val ring = maxOf(kotlin.math.abs(x - 3), kotlin.math.abs(y - 3))
                    dark[at.first * side + at.second] = if (ring == 3 || ring <= 1) 1 else 0
                }
            }
        }
        QrModules(side.toUInt(), dark)
    }
}
