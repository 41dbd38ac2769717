// When something is lost: keys, state, the key store, the right time.
package app.pairpin.shell

import app.pairpin.core.MachineCondition
import app.pairpin.core.PairpinException
import app.pairpin.core.startAnew
import app.pairpin.testkit.Phone
import app.pairpin.testkit.eventually
import java.nio.file.Files
import java.nio.file.Path
import kotlin.io.path.isRegularFile
import kotlin.io.path.name
import kotlin.io.path.readBytes
import kotlin.io.path.writeBytes
import kotlin.test.Test
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertIs
import kotlin.test.assertNotNull
import kotlin.test.assertTrue

class LossBehaviour : Scene() {
    @Test
    fun `secrets-lost - it says that the keys are gone, and pairing again works`() = scene {
        val machine = machine()
        val hand = paired(machine)
        hand.close()
        // The state came back on another phone; what its store and chip held did not.
        val restored = Phone(directory.resolve("Ana's phone"))
        val again = phone(phone = restored)
        again.reaches<MachineCondition.KeysGone>()
        assertEquals(0, restored.signer.keys.size, "no key was made silently")
        assertEquals(0, restored.store.secrets.size)
        val old = MachinePresenter(again.app, scope, again.row)
        old.forget()
        old.forgetForSure()
        assertNotNull(old.screen.reaches<MachineScreen.Over>().forgotten.stillListed, "nobody could tell the machine")
        again.state.becomes("an empty list") { it.machines.isEmpty() }
        again.pairs(machine)
        assertEquals(1, again.app.state().machines.size)
    }

    @Test
    fun `state-damaged - it is put aside only when the person says so`() = scene {
        val machine = machine()
        val hand = paired(machine)
        hand.close()
        val state = hand.phone.state
        // The last connection to the database takes its log away with it.
        eventually("the state is closed") { files(state).none { it.name.endsWith("-wal") } }
        val database = files(state).single { it.name.endsWith(".db") }
        val damaged = database.readBytes().apply { fill(0x5a, 0, minOf(size, 4096)) }
        database.writeBytes(damaged)
        val start = StartPresenter(scope, { phone(phone = hand.phone).app }, { startAnew(state.toString()) })
        val failed = start.screen.reaches<StartScreen.Failed>()
        assertIs<PairpinException.StateDamaged>(failed.error)
        assertTrue(failed.anew)
        start.again()
        start.screen.becomes("the same again") { it is StartScreen.Failed && it !== failed }
        assertTrue(database.readBytes().contentEquals(damaged), "nothing was touched without being asked")
        start.startAnew()
        val app = start.screen.reaches<StartScreen.Ready>().app
        assertEquals(emptyList(), app.state().machines)
        val aside = files(state.parent).filter { it != database && it.readBytes().contentEquals(damaged) }
        assertEquals(1, aside.size, "what was damaged is kept")
    }

    private fun files(directory: Path): List<Path> =
        Files.walk(directory).use { all -> all.filter { it.isRegularFile() }.toList() }

    @Test
    fun `store-locked - the phone says why, and the same works once the store does`() = scene {
        val machine = machine()
        val hand = phone()
        val link = machine.offer()
        val pairing = PairingPresenter(hand.app, scope)
        hand.phone.store.locked = "the key store is locked, unlock the phone"
        pairing.found(link)
        pairing.screen.becomes("an answer") { it is PairingScreen.Confirming || it is PairingScreen.Failed }
        pairing.confirm()
        val failed = pairing.screen.reaches<PairingScreen.Failed>()
        assertContains(assertIs<PairpinException.Keys>(failed.error).why, "the key store is locked")
        hand.phone.store.locked = null
        pairing.leave()
        pairing.found(link)
        pairing.screen.reaches<PairingScreen.Confirming>()
        pairing.confirm()
        pairing.screen.reaches<PairingScreen.Done>()
        assertEquals(listOf("Ana's phone"), machine.devices())
    }

    @Test
    fun `clock-wrong - pairing works, and what is left of an ask is what is left`() = scene {
        val machine = machine(clock = "+40d")
        val hand = paired(machine).mayAnswer()
        val ask = machine.asks("Deploy?")
        val item = hand.waits()
        val left = item.until - System.currentTimeMillis()
        assertTrue(left in 30_000..61_000, "$left ms are left of a minute")
        assertTrue(item.askedAt > System.currentTimeMillis() + 39L * 24 * 3_600_000, "the clock was not moved")
        val presenter = RequestPresenter(hand.app, hand.approver, scope, item.row, item.id)
        presenter.yes()
        presenter.screen.reaches<RequestScreen.Over>()
        assertEquals(0, ask.exit())
    }
}
