// Every screen in every state that is worth a look, by name. Pictures and the tests of what can be read and tapped go
// over all of them.
package app.pairpin.app.preview

import androidx.compose.runtime.Composable
import app.pairpin.app.platform.KeyProtection
import app.pairpin.app.screens.CodeContent
import app.pairpin.app.screens.ConfirmActions
import app.pairpin.app.screens.ConfirmContent
import app.pairpin.app.screens.DevicesActions
import app.pairpin.app.screens.DevicesContent
import app.pairpin.app.screens.DevicesLook
import app.pairpin.app.screens.HardStopActions
import app.pairpin.app.screens.HardStopContent
import app.pairpin.app.screens.InboxContent
import app.pairpin.app.screens.InviteActions
import app.pairpin.app.screens.InviteContent
import app.pairpin.app.screens.JoinActions
import app.pairpin.app.screens.JoinContent
import app.pairpin.app.screens.LicencesContent
import app.pairpin.app.screens.MachineActions
import app.pairpin.app.screens.MachineContent
import app.pairpin.app.screens.MachinesActions
import app.pairpin.app.screens.MachinesContent
import app.pairpin.app.screens.RequestActions
import app.pairpin.app.screens.RequestContent
import app.pairpin.app.screens.ScanActions
import app.pairpin.app.screens.ScanContent
import app.pairpin.app.screens.SettingsActions
import app.pairpin.app.screens.SettingsContent
import app.pairpin.app.screens.StartContent
import app.pairpin.core.AddressWord
import app.pairpin.core.DeviceAction
import app.pairpin.core.Ending
import app.pairpin.core.Forgotten
import app.pairpin.core.Hindrance
import app.pairpin.core.JoinAsked
import app.pairpin.core.JoinGrant
import app.pairpin.core.MachineCondition
import app.pairpin.core.News
import app.pairpin.core.NewsView
import app.pairpin.core.PairQuestion
import app.pairpin.core.Paired
import app.pairpin.core.PairpinException
import app.pairpin.core.RoleName
import app.pairpin.shell.CameraAccess
import app.pairpin.shell.DevicesScreen
import app.pairpin.shell.EndedItem
import app.pairpin.shell.HardStopScreen
import app.pairpin.shell.Hint
import app.pairpin.shell.InboxScreen
import app.pairpin.shell.InviteScreen
import app.pairpin.shell.JoinScreen
import app.pairpin.shell.MachineScreen
import app.pairpin.shell.MachineStep
import app.pairpin.shell.MachinesScreen
import app.pairpin.shell.PairingScreen
import app.pairpin.shell.RequestScreen
import app.pairpin.shell.ScanScreen
import app.pairpin.shell.SettingsScreen
import app.pairpin.shell.StartScreen
import app.pairpin.shell.Torch

/** A screen in a state. `key` is for those that every variant is pictured of. */
class Look(val name: String, val key: Boolean = false, val content: @Composable () -> Unit)

private fun machines(name: String, state: MachinesScreen, key: Boolean = false) =
    Look("machines-$name", key) { MachinesContent(state, MachinesActions()) }

private fun scan(name: String, state: ScanScreen, nothing: Boolean = false) =
    Look("scan-$name") { ScanContent(state, nothing, ScanActions()) }

private fun confirm(name: String, state: PairingScreen, key: Boolean = false) =
    Look("confirm-$name", key) { ConfirmContent(state, ConfirmActions()) }

private fun machine(name: String, state: MachineScreen, key: Boolean = false) =
    Look("machine-$name", key) { MachineContent(state, MachineActions()) }

private fun devices(name: String, state: DevicesScreen, look: DevicesLook = DevicesLook()) =
    Look("devices-$name") { DevicesContent(state, "homebox", DevicesActions(), look) }

private fun inbox(name: String, state: InboxScreen, key: Boolean = false) = Look("inbox-$name", key) { InboxContent(state, {}, {}) }

private fun request(name: String, state: RequestScreen, key: Boolean = false) =
    Look("request-$name", key) { RequestContent(state, RequestActions()) }

private fun hardStop(name: String, state: HardStopScreen, key: Boolean = false) =
    Look("hardstop-$name", key) { HardStopContent(state, HardStopActions()) }

private fun invite(name: String, state: InviteScreen, key: Boolean = false) =
    Look("invite-$name", key) { InviteContent(state, "homebox", InviteActions()) }

private fun join(name: String, state: JoinScreen) = Look("join-$name") { JoinContent(state, JoinActions(), "homebox.local") }

private fun settings(name: String, state: SettingsScreen, key: Boolean = false) =
    Look("settings-$name", key) {
        SettingsContent(state, KeyProtection.StrongBox, "0.1.0, protocol 1", SettingsActions())
    }

private fun start(name: String, state: StartScreen) = Look("start-$name") { StartContent(state, {}, {}) }

private fun shown(condition: MachineCondition, step: MachineStep = MachineStep.Looking, role: RoleName = RoleName.OWNER) =
    MachineScreen.Shown(Samples.machine(condition = condition, role = role), step)

private val asked = JoinAsked("PAIRPIN:J", "4817093", FINGERPRINT, "192.168.1.20:7747", 300u)
private val added = News.DeviceAdded("Ana’s laptop", RoleName.OPERATOR, "192.168.1.34", false, 7u, "4092")

/** All of them. */
val Looks: List<Look> =
    listOf(
        start("damaged", StartScreen.Failed(PairpinException.StateDamaged("pairpin.db is not a database"), anew = true)),
        machines("empty", MachinesScreen.Empty, key = true),
        machines("list", MachinesScreen.Listed(Samples.machines, 2), key = true),
        scan("looking", ScanScreen(CameraAccess.Allowed, Torch.Off)),
        scan("not-ours", ScanScreen(CameraAccess.Allowed, Torch.On, PairpinException.NotOurs())),
        scan("refused", ScanScreen(CameraAccess.RefusedForGood, Torch.None), nothing = true),
        Look("scan-code") { CodeContent({}, { _, _ -> }, "homebox.local", "8742 4552") },
        confirm("asking", PairingScreen.Asking),
        confirm("new", PairingScreen.Confirming(Samples.preview()), key = true),
        confirm("again", PairingScreen.Working(Samples.preview(PairQuestion.Again("homebox")))),
        confirm("replace", PairingScreen.Confirming(Samples.preview(PairQuestion.ReplaceKey("homebox", OTHER_FINGERPRINT)))),
        confirm("other", PairingScreen.Confirming(Samples.preview(PairQuestion.OtherMachine("homebox")))),
        confirm("paired", PairingScreen.Done(Paired(Samples.machine(), "4092", null))),
        confirm(
            "failed",
            PairingScreen.Failed(
                PairpinException.NotReachable("homebox", listOf("192.168.1.20:7747: no answer"), listOf("Wi-Fi 10.0.0.0/24")),
                again = true,
            ),
        ),
        machine("online", shown(Samples.online), key = true),
        machine("offline-viewer", shown(Samples.offline, role = RoleName.VIEWER)),
        machine("revoked", shown(Samples.revoked)),
        machine("keys-gone", shown(MachineCondition.KeysGone)),
        machine("rename", shown(Samples.online, MachineStep.Renaming)),
        machine("forget", shown(Samples.offline, MachineStep.AskedToForget)),
        machine("forgotten", MachineScreen.Over(Forgotten("homebox", "it did not answer", lastOwner = true))),
        hardStop("changed", HardStopScreen.Changed(Samples.machine(condition = MachineCondition.KeyChanged(OTHER_FINGERPRINT)), OTHER_FINGERPRINT), key = true),
        hardStop("copied", HardStopScreen.Copied(Samples.machine(condition = MachineCondition.KeyCopied))),
        devices("list", DevicesScreen.Listed(Samples.devices), DevicesLook("Ben’s laptop")),
        devices("revoke", DevicesScreen.Listed(Samples.devices), DevicesLook("Ben’s laptop", DeviceAction.REVOKE)),
        devices("role", DevicesScreen.Listed(Samples.devices), DevicesLook("Ben’s laptop", DeviceAction.SET_ROLE)),
        inbox("empty", InboxScreen()),
        inbox(
            "waiting",
            InboxScreen(
                listOf(Samples.item(Samples.ask), Samples.item(Samples.join(), id = "b")),
                listOf(EndedItem(Samples.item(Samples.ask, id = "c"), Ending.No("Ben’s laptop"))),
                listOf(
                    NewsView(1, "homebox", 3u, NOON - 60_000, added),
                    NewsView(1, "homebox", 2u, NOON - 7_200_000, News.DeviceRevoked("old tablet", "Ben’s laptop", "lost")),
                    NewsView(1, "homebox", 1u, NOON - 9_200_000, News.Alarm("203.0.113.9", "old tablet")),
                ),
            ),
            key = true,
        ),
        request("ask", RequestScreen.Open(Samples.item(Samples.ask)), key = true),
        request("ask-key-gone", RequestScreen.Open(Samples.item(Samples.ask), hint = Hint.KeyGone)),
        request("ask-viewer", RequestScreen.Open(Samples.item(Samples.ask, Hindrance.Role(RoleName.OPERATOR)))),
        request("join-number", RequestScreen.Open(Samples.item(Samples.join())), key = true),
        request("join-scanned", RequestScreen.Working(Samples.item(Samples.join()), scanned = true)),
        request("join-revoked", RequestScreen.Open(Samples.item(Samples.join(revokedBy = "Ben’s laptop")))),
        request("digits", RequestScreen.ShowDigits("7316", "Ana’s laptop"), key = true),
        request("over", RequestScreen.Over(Ending.Yes("Ben’s laptop"), Samples.item(Samples.ask))),
        invite("choose", InviteScreen.Choosing(Hint.NoScreenLock)),
        invite("shown", InviteScreen.Shown(7u, "PAIRPIN:X", Samples.qr, "8742 4552", RoleName.OPERATOR, 271), key = true),
        invite("arrived", InviteScreen.Arrived(added)),
        invite("expired", InviteScreen.Expired),
        join("typing", JoinScreen.Typing(PairpinException.JoinRefused())),
        join("waiting", JoinScreen.Waiting(asked, Samples.qr, 268)),
        join(
            "digits",
            JoinScreen.Digits(JoinGrant("homebox", "Debian 12 (aarch64)", RoleName.OPERATOR, FINGERPRINT, "192.168.1.20:7747", 120u), 113),
        ),
        settings("all", SettingsScreen("Ana’s phone", stayConnected = false, screenLock = true), key = true),
        settings("no-lock", SettingsScreen("Ana’s phone", stayConnected = true, screenLock = false)),
        settings("diagnostics", SettingsScreen("Ana’s phone", false, true, "pairpin 0.1.0, protocol 1\nAndroid 16\nmachines: 2, connected: 1\nkeys: hardware")),
        Look("settings-licences") { LicencesContent("Jetpack Compose\tApache License 2.0\nrustls\tApache License 2.0, ISC or MIT", {}) },
    )
