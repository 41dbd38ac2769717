// Devices that ask to be let in: by QR, by number, with digits to type; and this phone as one of them.
package app.pairpin.shell

import app.pairpin.core.Ending
import app.pairpin.core.MachineCondition
import app.pairpin.core.PairpinException
import app.pairpin.core.Request
import app.pairpin.core.RoleName
import app.pairpin.core.Terms
import app.pairpin.core.qrModules
import app.pairpin.testkit.Running
import app.pairpin.testkit.frameOf
import app.pairpin.testkit.member
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertIs
import kotlin.test.assertTrue

class JoinBehaviour : Scene() {
    private val viewer = Terms(RoleName.VIEWER, null, null)

    /** The one that waits, opened from the inbox. */
    private suspend fun open(hand: Hand): RequestPresenter =
        hand.waits().let { RequestPresenter(hand.app, hand.approver, scope, it.row, it.id) }

    /** The QR on a joiner's screen, seen by the phone's camera: the request that it leads to. */
    private suspend fun scanned(hand: Hand, text: String): RequestPresenter {
        val scan = ScanPresenter(hand.app, PictureCamera(CameraAccess.Allowed, frameOf(qrModules(text)!!)), scope)
        scan.enter()
        val found = assertIs<Found.Join>(scan.screen.becomes("found") { it.found != null }.found)
        return RequestPresenter(hand.app, hand.approver, scope, found.join.row, found.join.id, found.text)
    }

    private fun Running.number() = member(line("\"asked\""), "number")

    @Test
    fun `join-scanned - its own request is opened, and it gets the role that was chosen`() = scene {
        val machine = machine()
        val hand = paired(machine)
        val other = machine.joiner().ends().also { it.number() }
        val laptop = machine.joiner().ends()
        val asked = laptop.line("\"asked\"")
        hand.state.becomes("two in the inbox") { it.inbox.size == 2 }
        val presenter = scanned(hand, member(asked, "qr"))
        val open = presenter.screen.reaches<RequestScreen.Open>()
        assertEquals(member(asked, "id"), open.request.id)
        assertTrue(open.scanned, "no number is asked")
        assertTrue(assertIs<Request.Join>(open.request.request).byNumber)
        presenter.letIn(Terms(RoleName.VIEWER, "reading room", 24u))
        laptop.type(presenter.screen.reaches<RequestScreen.ShowDigits>().digits)
        assertEquals(0, laptop.exit())
        assertEquals(listOf(Prompt.BringKey, Prompt.LetIn), hand.keys.prompts)
        val device = hand.app.devices(hand.row).single { it.name == "reading room" }
        assertEquals(RoleName.VIEWER, device.role)
        other.close()
    }

    @Test
    fun `join-number - the number that it shows lets it in`() = scene {
        val machine = machine()
        val hand = paired(machine)
        val laptop = machine.joiner().ends()
        val number = laptop.number()
        val presenter = open(hand)
        // As people type it.
        presenter.letInByNumber(number.chunked(4).joinToString(" "), Terms(RoleName.OPERATOR, "laptop", null))
        laptop.type(presenter.screen.reaches<RequestScreen.ShowDigits>().digits)
        assertEquals(0, laptop.exit())
        assertEquals(RoleName.OPERATOR, hand.app.devices(hand.row).single { it.name == "laptop" }.role)
    }

    @Test
    fun `join-wrong-number - it is a no with a warning, and what is no number is not sent`() = scene {
        val machine = machine()
        val hand = paired(machine)
        val laptop = machine.joiner().ends()
        val number = laptop.number()
        val presenter = open(hand)
        presenter.letInByNumber("12345", viewer)
        presenter.screen.becomes("no number") { (it as? RequestScreen.Open)?.hint == Hint.NoNumber }
        presenter.letInByNumber(if (number == "0000000") "0000001" else "0000000", viewer)
        val over = presenter.screen.reaches<RequestScreen.Over>()
        assertIs<Ending.No>(over.how)
        assertIs<PairpinException.NotThatJoin>(over.error)
        assertEquals(1, laptop.exit())
    }

    @Test
    fun `join-digits - it is stored once they are typed, and not if others are`() = scene {
        val machine = machine()
        val hand = paired(machine)
        for (right in listOf(true, false)) {
            val laptop = machine.joiner().ends()
            val presenter = scanned(hand, member(laptop.line("\"asked\""), "qr"))
            presenter.screen.reaches<RequestScreen.Open>()
            presenter.letIn(Terms(RoleName.VIEWER, "typed $right", null))
            val digits = presenter.screen.reaches<RequestScreen.ShowDigits>().digits
            laptop.line("\"let_in\"")
            val stored = if (right) setOf("Ana's phone") else setOf("Ana's phone", "typed true")
            assertEquals(stored, hand.app.devices(hand.row).map { it.name }.toSet() - "typed $right")
            laptop.type(if (right) digits else if (digits == "0000") "0001" else "0000")
            assertEquals(if (right) 0 else 1, laptop.exit())
            hand.state.becomes("an empty inbox") { it.inbox.isEmpty() }
        }
        assertEquals(setOf("Ana's phone", "typed true"), hand.app.devices(hand.row).map { it.name }.toSet())
    }

    @Test
    fun `join-not-ours - the scanner says so, and goes on looking`() = scene {
        val (ours, theirs) = listOf(machine(), machine("theirs"))
        val hand = paired(ours)
        val text = member(theirs.joiner().ends().line("\"asked\""), "qr")
        val camera = PictureCamera(CameraAccess.Allowed, frameOf(qrModules(text)!!))
        val scan = ScanPresenter(hand.app, camera, scope).apply { enter() }
        scan.screen.becomes("not ours") { it.problem is PairpinException.NotOurMachine }
        val mine = member(ours.joiner().ends().line("\"asked\""), "qr")
        camera.sees = frameOf(qrModules(mine)!!)
        val found = assertIs<Found.Join>(scan.screen.becomes("found") { it.found != null }.found)
        assertEquals(hand.row, found.join.row)
    }

    @Test
    fun `ask-to-join - it shows a QR, asks for the owner's digits, and is paired with that role`() = scene {
        val machine = machine()
        val owner = paired(machine)
        val hand = phone("Ben's phone")
        val join = JoinPresenter(hand.app, scope)
        join.ask(" ${machine.address} ")
        val waiting = join.screen.reaches<JoinScreen.Waiting>()
        assertEquals(7, waiting.asked.number?.count(Char::isDigit))
        assertTrue(waiting.secondsLeft in 1..waiting.asked.seconds.toLong())
        assertEquals(frameOf(waiting.qr!!).scan(), frameOf(qrModules(waiting.asked.text)!!).scan())
        val presenter = scanned(owner, waiting.asked.text)
        presenter.screen.reaches<RequestScreen.Open>()
        presenter.letIn(Terms(RoleName.OPERATOR, null, null))
        val digits = presenter.screen.reaches<RequestScreen.ShowDigits>().digits
        assertEquals(RoleName.OPERATOR, join.screen.reaches<JoinScreen.Digits>().grant.role)
        join.type(digits)
        assertEquals(RoleName.OPERATOR, join.screen.reaches<JoinScreen.Done>().paired.machine.role)
        hand.reaches<MachineCondition.Online>()
    }

    @Test
    fun `ask-to-join-denied - nobody let it in, and nothing is paired`() = scene {
        val machine = machine()
        val owner = paired(machine)
        val hand = phone("Ben's phone")
        val join = JoinPresenter(hand.app, scope)
        suspend fun refused() =
            join.screen.becomes("refused") { it is JoinScreen.Typing && it.problem != null } as JoinScreen.Typing
        join.ask("no address at all!")
        assertIs<PairpinException.Address>(refused().problem)
        join.leave()
        join.ask(machine.address)
        open(owner).no()
        assertIs<PairpinException.JoinRefused>(refused().problem)
        owner.state.becomes("an empty inbox") { it.inbox.isEmpty() }
        join.leave()
        join.ask(machine.address)
        val presenter = scanned(owner, join.screen.reaches<JoinScreen.Waiting>().asked.text)
        presenter.screen.reaches<RequestScreen.Open>()
        presenter.letIn(viewer)
        val digits = presenter.screen.reaches<RequestScreen.ShowDigits>().digits
        join.screen.reaches<JoinScreen.Digits>()
        join.type(if (digits == "0000") "0001" else "0000")
        assertIs<PairpinException.JoinRefused>(refused().problem)
        assertEquals(emptyList(), hand.app.state().machines)
        assertEquals(listOf("Ana's phone"), machine.devices())
        // And one that the person takes back themselves.
        join.leave()
        join.ask(machine.address)
        join.screen.reaches<JoinScreen.Waiting>()
        owner.waits()
        join.leave()
        owner.state.becomes("an empty inbox") { it.inbox.isEmpty() }
    }
}
