package app.pairpin.shell

import app.cash.turbine.test
import app.pairpin.core.MachineCondition
import app.pairpin.core.PairpinException
import app.pairpin.core.PairQuestion
import app.pairpin.core.RoleName
import app.pairpin.core.Scanned
import app.pairpin.testkit.Machine
import app.pairpin.testkit.Phone
import app.pairpin.testkit.frameOf
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertIs
import kotlin.test.assertNull
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancel
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.io.TempDir
import java.nio.file.Path

class PairingBehaviour {
    @TempDir lateinit var directory: Path
    private val machine = Machine()
    private val scope = CoroutineScope(Dispatchers.Default)

    @AfterEach
    fun over() {
        scope.cancel()
        machine.close()
    }

    /** Waits for a screen of that kind, with a deadline. */
    private suspend inline fun <reified T : PairingScreen> PairingPresenter.reaches(): T =
        withTimeout(20.seconds) { screen.filterIsInstance<T>().first() }

    @Test
    fun `a machine is scanned, confirmed, listed, and gone once it is revoked`() = runBlocking<Unit> {
        val app = Phone(directory).open()
        val machines = MachinesPresenter(app, scope)
        assertEquals(MachinesScreen.Empty, machines.screen.value)

        val scanned = assertIs<Scanned.Offer>(frameOf(machine.offerPicture()).scan())
        val pairing = PairingPresenter(app, scope)
        pairing.found(scanned.link)
        val asked = pairing.reaches<PairingScreen.Confirming>().preview
        assertEquals(listOf("homebox", RoleName.OWNER, PairQuestion.New), listOf(asked.name, asked.role, asked.question))
        assertEquals(MachinesScreen.Empty, machines.screen.value, "nothing is paired before the person says yes")

        pairing.confirm()
        val paired = pairing.reaches<PairingScreen.Done>().paired
        assertEquals(4, paired.digits?.length)
        withTimeout(20.seconds) {
            machines.screen.test {
                do {
                    val listed = awaitItem()
                } while (conditionOf(listed) !is MachineCondition.Online)
                machine.run("devices", "revoke", "Ana's phone", "--yes", "--reason", "sold")
                do {
                    val revoked = conditionOf(awaitItem())
                } while (revoked !is MachineCondition.Revoked)
                assertEquals("sold", (conditionOf(machines.screen.value) as MachineCondition.Revoked).reason)
            }
        }
        app.cancel()
        app.close()
    }

    private fun conditionOf(screen: MachinesScreen) =
        (screen as? MachinesScreen.Listed)?.machines?.singleOrNull()?.condition

    @Test
    fun `an offer that another phone has used is refused with the cause`() = runBlocking<Unit> {
        val link = machine.offer()
        val first = Phone(directory.resolve("first")).open()
        first.preview(link).pair()
        val second = PairingPresenter(Phone(directory.resolve("second"), "another").open(), scope)
        second.found(link)
        assertIs<PairpinException.OfferUsed>(second.reaches<PairingScreen.Failed>().error)
    }

    @Test
    fun `a QR that is not ours is said to be none`() = runBlocking<Unit> {
        val presenter = PairingPresenter(Phone(directory).open(), scope)
        presenter.found("https://example.org/")
        assertIs<PairpinException.NotOurs>(presenter.reaches<PairingScreen.Failed>().error)
        presenter.leave()
        assertEquals(PairingScreen.Looking, presenter.screen.value)
    }

    @Test
    fun `leaving uses nothing up`() = runBlocking<Unit> {
        val app = Phone(directory).open()
        val link = machine.offer()
        val presenter = PairingPresenter(app, scope)
        presenter.found(link)
        presenter.reaches<PairingScreen.Confirming>()
        presenter.leave()
        presenter.found(link)
        presenter.reaches<PairingScreen.Confirming>()
        presenter.confirm()
        assertNull(presenter.reaches<PairingScreen.Done>().paired.revokedBeforeBy)
    }
}
