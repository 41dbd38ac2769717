// What each role may do, and what an owner decides about devices and invitations.
package app.pairpin.shell

import app.pairpin.core.ActionView
import app.pairpin.core.DeviceAction
import app.pairpin.core.DeviceHindrance
import app.pairpin.core.DeviceView
import app.pairpin.core.Hindrance
import app.pairpin.core.MachineCondition
import app.pairpin.core.RoleName
import app.pairpin.testkit.frameOf
import java.util.concurrent.atomic.AtomicLong
import kotlin.test.Test
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertIs
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue

class RolesBehaviour : Scene() {
    private fun hindrances(hand: Hand): Map<ActionView, Hindrance?> {
        val shown = MachinePresenter(hand.app, scope, hand.row).screen.value as MachineScreen.Shown
        return shown.machine.actions.associate { it.action to it.whyNot }
    }

    @Test
    fun `viewer-limits - it answers nothing, decides nothing, and may rename and forget`() = scene {
        val machine = machine()
        val owner = paired(machine).mayAnswer()
        val hand = paired(machine, "Ben's phone", "viewer")
        val why = hindrances(hand)
        assertEquals(Hindrance.Role(RoleName.OPERATOR), why[ActionView.ANSWER])
        assertEquals(Hindrance.Role(RoleName.OWNER), why[ActionView.DEVICES])
        assertEquals(Hindrance.Role(RoleName.OWNER), why[ActionView.DECIDE])
        assertNull(why.getValue(ActionView.RENAME))
        assertNull(why.getValue(ActionView.FORGET))
        val ask = machine.asks("Deploy?")
        owner.app.deny(owner.row, owner.waits().id, null)
        assertEquals(1, ask.exit())
        // What is told to a device comes in order: the news of its role come after the ask would have.
        machine.run("devices", "set", "Ben's phone", "--role", "operator")
        hand.state.becomes("operator") { it.machines.single().role == RoleName.OPERATOR }
        assertEquals(emptyList(), hand.app.state().run { inbox + ended })
        machine.run("devices", "set", "Ben's phone", "--role", "viewer")
        hand.state.becomes("viewer") { it.machines.single().role == RoleName.VIEWER }
        val devices = DevicesPresenter(hand.app, hand.approver, scope, hand.row)
        devices.screen.reaches<DevicesScreen.Failed>()
    }

    @Test
    fun `operator-limits - it answers, and decides nothing about devices`() = scene {
        val machine = machine()
        paired(machine)
        val hand = paired(machine, "Ben's phone", "operator").mayAnswer()
        val why = hindrances(hand)
        assertNull(why.getValue(ActionView.ANSWER))
        assertEquals(Hindrance.Role(RoleName.OWNER), why[ActionView.DEVICES])
        assertEquals(Hindrance.Role(RoleName.OWNER), why[ActionView.DECIDE])
        val ask = machine.asks("Deploy?")
        val item = hand.waits()
        assertNull(item.whyNot)
        val presenter = RequestPresenter(hand.app, hand.approver, scope, item.row, item.id)
        presenter.yes()
        presenter.screen.reaches<RequestScreen.Over>()
        assertEquals(0, ask.exit())
        val invite = InvitePresenter(hand.app, hand.approver, scope, hand.row)
        invite.invite(RoleName.VIEWER)
        val refused = invite.screen.becomes("refused") { (it as? InviteScreen.Choosing)?.hint != null }
        assertIs<Hint.Failed>((refused as InviteScreen.Choosing).hint)
    }

    private fun DevicesScreen.isDone() = this is DevicesScreen.Listed && working == null

    private fun DevicesScreen.device(name: String): DeviceView? =
        (this as? DevicesScreen.Listed)?.devices?.find { it.name == name }

    private fun DeviceView.hinders(action: DeviceAction) = actions.single { it.action == action }.whyNot

    @Test
    fun `revoke-other - it is cut, gone from the list, and told by whom and why`() = scene {
        val machine = machine()
        val owner = paired(machine)
        val other = paired(machine, "Ben's phone", "operator")
        val devices = DevicesPresenter(owner.app, owner.approver, scope, owner.row)
        val ben = devices.screen.becomes("two") { it.device("Ben's phone") != null }.device("Ben's phone")!!
        owner.keys.person = MemoryApprovalKeys.Person.Dismisses
        devices.revoke(ben.id, "lost")
        devices.screen.becomes("dismissed") { (it as? DevicesScreen.Listed)?.hint == Hint.Cancelled }
        assertIs<MachineCondition.Online>(other.app.state().machines.single().condition)
        owner.keys.person = MemoryApprovalKeys.Person.SaysYes
        devices.revoke(ben.id, "lost")
        devices.screen.becomes("gone") { it.isDone() && it.device("Ben's phone") == null }
        val told = other.reaches<MachineCondition.Revoked>()
        assertContains(told.by.orEmpty(), "Ana's phone")
        assertEquals("lost", told.reason)
        assertEquals(listOf("Ana's phone"), machine.devices())
    }

    @Test
    fun `device-role - the list and the other phone show it, and what cannot be done says why`() = scene {
        val machine = machine()
        val owner = paired(machine)
        val other = paired(machine, "Ben's phone", "viewer")
        val devices = DevicesPresenter(owner.app, owner.approver, scope, owner.row)
        val there = devices.screen.becomes("two") { it.device("Ben's phone") != null }
        val (me, ben) = there.device("Ana's phone")!! to there.device("Ben's phone")!!
        assertEquals(listOf(true, false), listOf(me.thisPhone, ben.thisPhone))
        assertNotNull(me.hinders(DeviceAction.REVOKE))
        assertEquals(DeviceHindrance.NOT_NEEDED, ben.hinders(DeviceAction.LIFT))
        assertNull(ben.hinders(DeviceAction.SET_ROLE))
        devices.setRole(ben.id, RoleName.OPERATOR)
        devices.screen.becomes("operator") { it.device("Ben's phone")?.role == RoleName.OPERATOR }
        other.state.becomes("operator") { it.machines.single().role == RoleName.OPERATOR }
        other.reaches<MachineCondition.Online>()
        // Its approval key has ended: the owner lets it bring another.
        other.mayAnswer().keys.enrolAFinger()
        devices.screen.becomes("not working") { it.isDone() }
        devices.forgetKey(ben.id)
        devices.screen.becomes("done") { it.isDone() }
        assertNull((devices.screen.value as DevicesScreen.Listed).hint)
        machine.asks("Deploy?")
        val item = other.waits()
        val request = RequestPresenter(other.app, other.approver, scope, item.row, item.id)
        other.keys.prompts.clear()
        request.yes()
        request.screen.reaches<RequestScreen.Over>()
        assertEquals(listOf(Prompt.BringKey, Prompt.SayYes), other.keys.prompts)
    }

    @Test
    fun `invite - a second phone scans it, and both show the same digits`() = scene {
        val machine = machine()
        val owner = paired(machine)
        val invite = InvitePresenter(owner.app, owner.approver, scope, owner.row)
        invite.invite(RoleName.OPERATOR)
        val shown = invite.screen.reaches<InviteScreen.Shown>()
        assertEquals(8, shown.code?.count(Char::isDigit))
        val second = phone("Ben's phone")
        val camera = PictureCamera(CameraAccess.Allowed, frameOf(assertNotNull(shown.qr)))
        val scan = ScanPresenter(second.app, camera, scope).apply { enter() }
        val found = assertIs<Found.Offer>(scan.screen.becomes("found") { it.found != null }.found)
        val pairing = PairingPresenter(second.app, scope)
        pairing.found(found.link)
        assertEquals(RoleName.OPERATOR, pairing.screen.reaches<PairingScreen.Confirming>().preview.role)
        pairing.confirm()
        val digits = assertNotNull(pairing.screen.reaches<PairingScreen.Done>().paired.digits)
        val arrived = invite.screen.reaches<InviteScreen.Arrived>().device
        assertEquals(listOf("Ben's phone", digits), listOf(arrived.name, arrived.digits))
    }

    @Test
    fun `invite-expired - seconds are counted down, and another can be made`() = scene {
        val machine = machine()
        val owner = paired(machine)
        val passed = AtomicLong()
        val elapsed = { System.nanoTime() / 1_000_000 + passed.get() }
        val invite = InvitePresenter(owner.app, owner.approver, scope, owner.row, elapsed)
        invite.invite(RoleName.VIEWER, seconds = 60u)
        invite.screen.becomes("59 s") { (it as? InviteScreen.Shown)?.secondsLeft == 59L }
        passed.set(50_000)
        invite.screen.becomes("10 s or less") { it is InviteScreen.Shown && it.secondsLeft in 1..10 }
        passed.set(60_000)
        invite.screen.reaches<InviteScreen.Expired>()
        invite.another()
        invite.invite(RoleName.VIEWER)
        invite.screen.reaches<InviteScreen.Shown>()
    }
}
