// Revoked, and keys that change: what a machine tells, and what nobody may be talked into.
package app.pairpin.shell

import app.pairpin.core.ActionView
import app.pairpin.core.Hindrance
import app.pairpin.core.MachineCondition
import app.pairpin.core.MachineView
import app.pairpin.core.PairQuestion
import app.pairpin.core.PairpinException
import app.pairpin.testkit.Machine
import kotlin.test.Test
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertIs
import kotlin.test.assertNotNull
import kotlin.test.assertTrue
import kotlinx.coroutines.runBlocking

class TrustBehaviour : Scene() {
    private fun Machine.revokes(name: String) = run("devices", "revoke", name, "--yes", "--reason", "sold")

    private fun possible(machine: MachineView) =
        machine.actions.filter { it.whyNot == null }.map { it.action }.toSet()

    /** What a revoked phone was told. */
    private fun saysWho(hand: Hand, told: MachineCondition.Revoked) {
        assertEquals("sold", told.reason)
        assertNotNull(told.by)
        val at = assertNotNull(told.at)
        assertTrue(at in System.currentTimeMillis() - 60_000..System.currentTimeMillis() + 1000, "at $at")
        val left = setOf(ActionView.RENAME, ActionView.FORGET, ActionView.SCAN_AGAIN)
        assertEquals(left, possible(hand.app.state().machines.single()))
    }

    @Test
    fun `revoked-live - it is said at once, by whom, when and why`() = scene {
        val machine = machine()
        val hand = paired(machine)
        machine.revokes("Ana's phone")
        saysWho(hand, hand.reaches())
    }

    @Test
    fun `revoked-away - a phone that slept is told the same`() = scene {
        val machine = machine()
        val hand = paired(machine)
        hand.app.background()
        hand.reaches<MachineCondition.Paused>()
        machine.revokes("Ana's phone")
        assertIs<MachineCondition.Paused>(hand.app.state().machines.single().condition)
        hand.app.foreground()
        saysWho(hand, hand.reaches())
    }

    /** The fingerprint of a machine's key, as its own shell shows it. */
    private fun Machine.isKnownBy(fingerprint: String) =
        assertContains(run("key", "show", "--json").substringBefore("\"next_key\""), fingerprint)

    @Test
    fun `key-changed - another machine at the address is a hard stop, until the right one answers`() = scene {
        val machine = machine()
        val hand = paired(machine)
        val stop = HardStopPresenter(hand.app, scope, hand.row)
        assertEquals(HardStopScreen.Over, stop.screen.value)
        machine.stop()
        val impostor = machine(port = machine.port)
        hand.app.networkChanged()
        val changed = stop.screen.reaches<HardStopScreen.Changed>()
        impostor.isKnownBy(changed.seen)
        assertTrue(changed.machine.fingerprint != changed.seen)
        for (one in changed.machine.actions) {
            val stopped = one.action in listOf(ActionView.ANSWER, ActionView.DEVICES, ActionView.DECIDE)
            assertEquals(if (stopped) Hindrance.HardStop else null, one.whyNot, "${one.action}")
        }
        assertFailsWith<PairpinException> { runBlocking { hand.app.devices(hand.row) } }
        impostor.stop()
        machine.start()
        hand.app.foreground()
        stop.screen.reaches<HardStopScreen.Over>()
        hand.reaches<MachineCondition.Online>()
        machine.isKnownBy(changed.machine.fingerprint)
    }

    @Test
    fun `key-repinned - the offer from its own screen and a yes to the new key end the stop`() = scene {
        val machine = machine()
        val hand = paired(machine)
        val (row, old) = hand.app.state().machines.single().let { it.row to it.fingerprint }
        val stop = HardStopPresenter(hand.app, scope, row)
        machine.makesItsKeyAnew()
        stop.screen.reaches<HardStopScreen.Changed>()
        val pairing = PairingPresenter(hand.app, scope)
        pairing.found(machine.offer())
        val asked = pairing.screen.reaches<PairingScreen.Confirming>().preview
        assertEquals(PairQuestion.ReplaceKey("homebox", old), asked.question)
        machine.isKnownBy(asked.fingerprint)
        assertIs<HardStopScreen.Changed>(stop.screen.value, "the question alone ends nothing")
        pairing.confirm()
        pairing.screen.reaches<PairingScreen.Done>()
        stop.screen.reaches<HardStopScreen.Over>()
        hand.reaches<MachineCondition.Online>(row)
        assertEquals(listOf(row to asked.fingerprint), hand.app.state().machines.map { it.row to it.fingerprint })
    }

    @Test
    fun `key-rotated - a phone that slept follows by itself`() = scene {
        val machine = machine()
        val hand = paired(machine)
        val old = hand.app.state().machines.single().fingerprint
        hand.app.background()
        hand.reaches<MachineCondition.Paused>()
        machine.run("key", "rotate", "--yes")
        hand.app.foreground()
        hand.reaches<MachineCondition.Online>()
        val new = hand.state.becomes("the new key") { it.machines.single().fingerprint != old }.machines.single()
        machine.isKnownBy(new.fingerprint)
        assertEquals(HardStopScreen.Over, HardStopPresenter(hand.app, scope, new.row).screen.value)
    }
}
