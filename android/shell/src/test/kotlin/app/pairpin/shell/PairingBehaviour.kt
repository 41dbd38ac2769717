// Pairing: the question, the yes, and every way in which an offer or a code does not work.
package app.pairpin.shell

import app.pairpin.core.MachineCondition
import app.pairpin.core.PairQuestion
import app.pairpin.core.PairpinException
import app.pairpin.core.RoleName
import app.pairpin.core.StoreException
import app.pairpin.testkit.Machine
import app.pairpin.testkit.Phone
import app.pairpin.testkit.frameOf
import app.pairpin.testkit.member
import kotlin.test.Test
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertIs
import kotlin.test.assertTrue
import kotlinx.coroutines.yield

class PairingBehaviour : Scene() {
    private fun Hand.pairing(link: String) = PairingPresenter(app, scope).also { it.found(link) }

    @Test
    fun `pair - a machine is scanned, confirmed, listed and connected`() = scene {
        val machine = machine()
        val hand = phone()
        val camera = PictureCamera(CameraAccess.Allowed, frameOf(machine.offerPicture()))
        val scan = ScanPresenter(hand.app, camera, scope).apply { enter() }
        val found = scan.screen.becomes("found") { it.found != null }.found as Found.Offer
        val pairing = hand.pairing(found.link)
        val asked = pairing.screen.reaches<PairingScreen.Confirming>().preview
        val expected = listOf("homebox", RoleName.OWNER, PairQuestion.New)
        assertEquals(expected, listOf(asked.name, asked.role, asked.question))
        assertContains(machine.run("key", "show", "--json"), asked.fingerprint)
        assertEquals(emptyList(), machine.devices(), "nothing is paired before the person says yes")
        pairing.confirm()
        pairing.screen.reaches<PairingScreen.Done>()
        val machines = MachinesPresenter(hand.app, scope)
        machines.screen.becomes("connected") {
            (it as? MachinesScreen.Listed)?.machines?.singleOrNull()?.condition is MachineCondition.Online
        }
        assertEquals(listOf("Ana's phone"), machine.devices())
    }

    @Test
    fun `pair-no - a no uses nothing up`() = scene {
        val hand = phone()
        val link = machine().offer()
        val pairing = hand.pairing(link)
        pairing.screen.reaches<PairingScreen.Confirming>()
        pairing.leave()
        // Nor does one that leaves in the middle see what came of it.
        repeat(20) {
            pairing.found(link)
            if (it % 2 == 0) yield()
            pairing.leave()
            assertEquals(PairingScreen.Looking, pairing.screen.value)
        }
        pairing.found(link)
        pairing.screen.reaches<PairingScreen.Confirming>()
        pairing.confirm()
        pairing.screen.reaches<PairingScreen.Done>()
    }

    @Test
    fun `check-digits - the phone and the machine show the same four`() = scene {
        val offer = machine().starts("pair", "--json").ends()
        val pairing = phone().pairing(member(offer.line("\"offer\""), "link"))
        pairing.screen.reaches<PairingScreen.Confirming>()
        pairing.confirm()
        val digits = pairing.screen.reaches<PairingScreen.Done>().paired.digits
        assertEquals(4, digits?.length)
        assertEquals(member(offer.line("\"paired\""), "check_digits"), digits)
    }

    @Test
    fun `pair-interrupted - the same yes is tried again once the machine is back`() = scene {
        val machine = machine()
        val pairing = phone().pairing(machine.offer())
        pairing.screen.reaches<PairingScreen.Confirming>()
        machine.stop()
        pairing.confirm()
        val failed = pairing.screen.reaches<PairingScreen.Failed>()
        assertIs<PairpinException.NotReachable>(failed.error)
        assertTrue(failed.again)
        // A machine keeps no offers over a start: so the answer is that it does not know it.
        machine.start()
        pairing.again()
        val after =
            pairing.screen.becomes("an answer") {
                it is PairingScreen.Done || it is PairingScreen.Failed && it !== failed
            }
        assertIs<PairpinException.OfferUnknown>(assertIs<PairingScreen.Failed>(after).error)
        assertFalse(after.again)
    }

    @Test
    fun `pair-killed - wherever the app ends, the same offer leads to one machine`() = scene {
        val machine = machine()
        var writes = 0
        var killedAt = 0
        do {
            // Each time it gets one write further.
            killedAt++
            writes = 0
            val name = "phone $killedAt"
            val phone = Phone(directory.resolve(name), name)
            phone.store.beforePut = { if (++writes == killedAt) throw StoreException.Failed("killed") }
            val link = machine.offer()
            val first = phone(name, phone)
            val dying = first.pairing(link)
            dying.screen.reaches<PairingScreen.Confirming>()
            dying.confirm()
            val end = dying.screen.becomes("an end") { it is PairingScreen.Done || it is PairingScreen.Failed }
            first.close()
            phone.store.beforePut = {}
            val second = phone(name, phone)
            val taken = second.pairing(link)
            taken.screen.becomes("an answer") { it is PairingScreen.Confirming || it is PairingScreen.Done }
            taken.confirm()
            taken.screen.reaches<PairingScreen.Done>()
            second.reaches<MachineCondition.Online>()
            assertEquals(1, machine.devices().count { it == name }, "$name in ${machine.devices()}")
        } while (end is PairingScreen.Failed)
        assertTrue(killedAt > 1, "no write was interrupted: the test proves nothing")
    }

    @Test
    fun `pair-again - it is known by its name here, and stays one machine`() = scene {
        val machine = machine()
        val hand = paired(machine)
        hand.app.rename(hand.row, "attic")
        val again = hand.pairing(machine.offer())
        val asked = again.screen.reaches<PairingScreen.Confirming>().preview
        assertEquals(PairQuestion.Again("attic"), asked.question)
        again.confirm()
        again.screen.reaches<PairingScreen.Done>()
        assertEquals(listOf("attic"), hand.app.state().machines.map { it.name })
        hand.reaches<MachineCondition.Online>()
        assertEquals(listOf("Ana's phone"), machine.devices())
    }

    @Test
    fun `two-machines - each has a name and a state of its own`() = scene {
        val (first, second) = listOf(machine(), machine())
        val hand = paired(first)
        val row = hand.row
        val other = hand.pairs(second)
        val machines = hand.app.state().machines
        assertEquals(2, machines.map { it.name }.distinct().size, "$machines")
        assertEquals("homebox", machines.single { it.row == row }.name, "the first keeps its name")
        assertEquals(listOf("homebox", "homebox"), machines.map { it.machineName })
        first.stop()
        hand.reaches<MachineCondition.Offline>(row)
        hand.reaches<MachineCondition.Online>(other)
    }

    private suspend fun refused(hand: Hand, link: String): PairingScreen.Failed =
        hand.pairing(link).screen.reaches()

    @Test
    fun `offer-expired - it says so, and that another is needed`() = scene {
        val machine = machine()
        val offer = machine.starts("pair", "--json", "--ttl", "10s").ends()
        val link = member(offer.line("\"offer\""), "link")
        offer.line("\"expired\"")
        val failed = refused(phone(), link)
        assertIs<PairpinException.OfferExpired>(failed.error)
        assertFalse(failed.again)
    }

    @Test
    fun `offer-used - a second phone is told that it came too late`() = scene {
        val link = machine().offer()
        phone("Ben's phone").app.preview(link).pair()
        val failed = refused(phone(), link)
        assertIs<PairpinException.OfferUsed>(failed.error)
        assertFalse(failed.again)
    }

    @Test
    fun `offer-withdrawn - a yes after that pairs nothing`() = scene {
        val machine = machine()
        val pairing = phone().pairing(machine.offer())
        pairing.screen.reaches<PairingScreen.Confirming>()
        machine.run("offers", "cancel", "--all")
        pairing.confirm()
        val failed = pairing.screen.reaches<PairingScreen.Failed>()
        assertIs<PairpinException.OfferWithdrawn>(failed.error)
        assertFalse(failed.again)
        assertEquals(emptyList(), machine.devices())
    }

    @Test
    fun `offer-other-network - it says who was looked for, where, and where the phone is`() = scene {
        val machine = machine()
        val link = machine.offer()
        machine.stop()
        val failed = refused(phone(), link)
        val error = assertIs<PairpinException.NotReachable>(failed.error)
        assertContains(error.tried.single(), machine.address)
        assertTrue(failed.again)
    }

    @Test
    fun `offer-other-key - another machine at the address is a hard stop`() = scene {
        val machine = machine()
        val link = machine.offer()
        machine.stop()
        val impostor = machine(port = machine.port)
        val hand = phone()
        val failed = refused(hand, link)
        val error = assertIs<PairpinException.KeyChanged>(failed.error)
        assertContains(impostor.run("key", "show", "--json"), error.seen)
        assertFalse(failed.again)
        assertEquals(emptyList(), hand.app.state().machines)
        assertEquals(emptyList(), impostor.devices())
    }

    /** A machine that shows a code; gives it. */
    private fun code(machine: Machine) = member(machine.run("pair", "--json", "--no-wait", "--code"), "code")

    @Test
    fun `code-typed - the person is asked with the machine's key, and pairs`() = scene {
        val machine = machine()
        val pairing = PairingPresenter(phone().app, scope)
        val code = code(machine)
        pairing.typed(machine.address, code)
        val asked = pairing.screen.reaches<PairingScreen.Confirming>().preview
        assertContains(machine.run("key", "show", "--json"), asked.fingerprint)
        assertEquals(emptyList(), machine.devices())
        pairing.confirm()
        pairing.screen.reaches<PairingScreen.Done>()
        assertEquals(listOf("Ana's phone"), machine.devices())
    }

    @Test
    fun `code-wrong - the tries that are left are told, and after three the right one is too late`() = scene {
        val machine = machine()
        val hand = phone()
        val right = code(machine)
        val wrong = if (right == "0000 0000") "0000 0001" else "0000 0000"
        suspend fun type(code: String): PairpinException {
            val pairing = PairingPresenter(hand.app, scope)
            pairing.typed(machine.address, code)
            val failed = pairing.screen.reaches<PairingScreen.Failed>()
            assertFalse(failed.again, "a code that failed is not tried again by itself")
            return failed.error
        }
        val left = List(3) { type(wrong) }.map { (it as? PairpinException.CodeWrong)?.triesLeft }
        assertEquals(listOf<UInt?>(2u, 1u, 0u), left.map { it ?: 0u })
        assertIs<PairpinException.CodeClosed>(type(right))
        val address = PairingPresenter(hand.app, scope).also { it.typed("no address at all!", right) }
        address.screen.reaches<PairingScreen.Failed>()
        assertEquals(emptyList(), machine.devices())
    }
}
