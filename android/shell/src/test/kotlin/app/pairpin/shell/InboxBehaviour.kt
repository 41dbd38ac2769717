// The inbox over all machines, what is told of it to somebody who does not look, and asks that are opened.
package app.pairpin.shell

import app.pairpin.core.Ending
import app.pairpin.core.News
import app.pairpin.core.Request
import kotlin.test.Test
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertIs
import kotlin.time.Duration.Companion.milliseconds
import kotlin.test.assertNull

class InboxBehaviour : Scene() {
    /** The one thing that waits, opened. */
    private suspend fun open(hand: Hand): RequestPresenter =
        hand.waits().let { RequestPresenter(hand.app, hand.approver, scope, it.row, it.id) }

    @Test
    fun `inbox-two-machines - each item has its machine, soonest over first`() = scene {
        val (first, second) = listOf(machine("alpha"), machine("beta"))
        val hand = paired(first).mayAnswer()
        hand.mayAnswer(hand.pairs(second))
        val inbox = InboxPresenter(hand.app, scope)
        first.starts("ask", "Later?", "--timeout", "5m").ends()
        inbox.screen.becomes("one") { it.waiting.size == 1 }
        val sooner = second.starts("ask", "Sooner?", "--timeout", "60s").ends()
        val both = inbox.screen.becomes("two") { it.waiting.size == 2 }.waiting
        assertEquals(listOf("beta", "alpha"), both.map { it.machine })
        assertEquals(listOf("Sooner?", "Later?"), both.map { (it.request as Request.Ask).claimed.text })
        RequestPresenter(hand.app, hand.approver, scope, both.first().row, both.first().id).no()
        val after = inbox.screen.becomes("one less") { it.waiting.size == 1 && it.ended.isNotEmpty() }
        assertEquals("alpha", after.waiting.single().machine)
        assertEquals(EndedItem(both.first(), Ending.No("Ana's phone")), after.ended.single())
        assertEquals(1, sooner.exit())
    }

    @Test
    fun `notices - somebody who does not look is told that something waits, not what`() = scene {
        val machine = machine()
        val hand = paired(machine).mayAnswer()
        val notices = MemoryNotices()
        NoticesPresenter(hand.app, notices, scope)
        val asked = machine.asks("Deploy the secret build?")
        val notice = notices.standing.becomes("a notice") { it.isNotEmpty() }.single()
        assertEquals(listOf("homebox", Notice.Kind.Ask), listOf(notice.machine, notice.kind))
        assertEquals(false, "secret build" in notice.toString())
        asked.close()
        notices.standing.becomes("withdrawn") { it.isEmpty() }
        machine.joiner().ends()
        assertEquals(Notice.Kind.Join, notices.standing.becomes("a notice") { it.isNotEmpty() }.single().kind)
    }

    @Test
    fun `news - what needs no answer stands under the machine's name`() = scene {
        val machine = machine()
        val hand = paired(machine)
        val inbox = InboxPresenter(hand.app, scope)
        machine.run("notify", "The backup is done")
        val told = inbox.screen.becomes("news") { it.news.isNotEmpty() }.news.first()
        assertEquals("homebox", told.machine)
        assertEquals("The backup is done", assertIs<News.Notice>(told.news).text)
        assertEquals(emptyList(), inbox.screen.value.waiting)
    }

    @Test
    fun `ask-facts - what is known, observed and claimed is apart, and a yes is the exit code 0`() = scene {
        val machine = machine()
        val hand = paired(machine).mayAnswer()
        val ask = machine.asks("Deploy build 241?", "--detail", "to production", "--json")
        val presenter = open(hand)
        val item = assertIs<RequestScreen.Open>(presenter.screen.value).request
        assertNull(item.whyNot)
        val request = assertIs<Request.Ask>(item.request)
        assertEquals(listOf("Deploy build 241?", "to production"), request.claimed.run { listOf(text, detail) })
        assertContains(request.observed.arguments, "Deploy build 241?")
        assertContains(request.observed.executable.orEmpty(), "pairpin")
        // Of the person who runs the tests, whoever that is.
        assertEquals(ProcessHandle.current().info().user().orElse(null), request.known.user)
        presenter.yes()
        assertEquals(Ending.Yes("Ana's phone"), presenter.screen.reaches<RequestScreen.Over>().how)
        assertEquals(listOf(Prompt.SayYes), hand.keys.prompts, "the person was asked once")
        assertEquals(0, ask.exit())
    }

    @Test
    fun `ask-no - no fingerprint is needed, and it is the exit code 1`() = scene {
        val machine = machine()
        val hand = paired(machine).mayAnswer()
        val ask = machine.asks("Deploy?")
        val presenter = open(hand)
        presenter.no()
        assertIs<Ending.No>(presenter.screen.reaches<RequestScreen.Over>().how)
        assertEquals(1, ask.exit())
        assertEquals(emptyList(), hand.keys.prompts)
    }

    @Test
    fun `withdrawn - the open request says so`() = scene {
        val machine = machine()
        val hand = paired(machine).mayAnswer()
        val ask = machine.asks("Deploy?")
        val presenter = open(hand)
        ask.close()
        assertEquals(Ending.Withdrawn, presenter.screen.reaches<RequestScreen.Over>().how)
    }

    @Test
    fun `answered-elsewhere - the other phone says what was answered, and by whom`() = scene {
        val machine = machine()
        val here = paired(machine).mayAnswer()
        val there = paired(machine, "Ben's phone").mayAnswer()
        for (yes in listOf(true, false)) {
            val ask = machine.asks("Deploy?")
            val (waiting, deciding) = open(here) to open(there)
            if (yes) deciding.yes() else deciding.no()
            val how = waiting.screen.reaches<RequestScreen.Over>().how
            assertEquals(if (yes) Ending.Yes("Ben's phone") else Ending.No("Ben's phone"), how)
            assertEquals(if (yes) 0 else 1, ask.exit())
            here.state.becomes("an empty inbox") { it.inbox.isEmpty() }
            there.state.becomes("an empty inbox") { it.inbox.isEmpty() }
        }
    }

    @Test
    fun `request-expired - it says so, and a yes after that decides nothing`() = scene {
        val machine = machine()
        val hand = paired(machine).mayAnswer()
        val ask = machine.starts("ask", "Deploy?", "--timeout", "3s").ends()
        val presenter = open(hand)
        assertEquals(Ending.Expired, presenter.screen.reaches<RequestScreen.Over>().how)
        assertEquals(3, ask.exit())
        presenter.yes()
        assertIs<RequestScreen.Over>(presenter.screen.value)
        assertEquals(emptyList(), hand.keys.prompts)
    }

    @Test
    fun `request-unknown - it is looked for, and then it is over`() = scene {
        val hand = paired(machine())
        val stale = RequestPresenter(hand.app, hand.approver, scope, hand.row, "long ago", patience = 50.milliseconds)
        assertEquals(RequestScreen.Looking, stale.screen.value)
        assertEquals(Ending.Unknown, stale.screen.reaches<RequestScreen.Over>().how)
        stale.yes()
        assertEquals(emptyList(), hand.keys.prompts)
    }
}
