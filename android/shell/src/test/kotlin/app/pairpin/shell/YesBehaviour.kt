// A person's yes: the approval key, the prompt, and what is said where there is none.
package app.pairpin.shell

import app.pairpin.core.Ending
import app.pairpin.core.PairpinException
import app.pairpin.core.RoleName
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertIs
import kotlinx.coroutines.runBlocking

class YesBehaviour : Scene() {
    private suspend fun open(hand: Hand): RequestPresenter =
        hand.waits().let { RequestPresenter(hand.app, hand.approver, scope, it.row, it.id) }

    private suspend fun RequestPresenter.hints(hint: Hint) =
        screen.becomes("$hint") { (it as? RequestScreen.Open)?.hint == hint }

    @Test
    fun `approval-key-brought - the first decision brings it, the next has one prompt`() = scene {
        val machine = machine()
        val hand = paired(machine)
        for (prompts in listOf(listOf(Prompt.BringKey, Prompt.Invite), listOf(Prompt.Invite))) {
            hand.keys.prompts.clear()
            val invite = InvitePresenter(hand.app, hand.approver, scope, hand.row)
            invite.invite(RoleName.VIEWER)
            invite.screen.reaches<InviteScreen.Shown>()
            assertEquals(prompts, hand.keys.prompts)
        }
    }

    @Test
    fun `key-not-made - it says so, and once the chip works the next decision counts`() = scene {
        val hand = paired(machine())
        hand.keys.works = false
        val invite = InvitePresenter(hand.app, hand.approver, scope, hand.row)
        invite.invite(RoleName.VIEWER)
        invite.screen.becomes("the hint") { it == InviteScreen.Choosing(Hint.KeyNotMade) }
        assertEquals(emptyList(), hand.keys.prompts)
        hand.keys.works = true
        invite.invite(RoleName.VIEWER)
        invite.screen.reaches<InviteScreen.Shown>()
    }

    @Test
    fun `fingerprint-cancelled - nothing was sent, and the next yes counts`() = scene {
        val machine = machine()
        val hand = paired(machine).mayAnswer()
        val ask = machine.asks("Deploy?")
        val presenter = open(hand)
        hand.keys.person = MemoryApprovalKeys.Person.Dismisses
        presenter.yes()
        presenter.hints(Hint.Cancelled)
        hand.keys.person = MemoryApprovalKeys.Person.SaysYes
        presenter.yes()
        assertIs<Ending.Yes>(presenter.screen.reaches<RequestScreen.Over>().how)
        assertEquals(0, ask.exit())
    }

    @Test
    fun `fingerprint-enrolled - the approval key is gone, and the machine's shell brings another`() = scene {
        val machine = machine()
        val hand = paired(machine).mayAnswer()
        val ask = machine.asks("Deploy?")
        val presenter = open(hand)
        hand.keys.enrolAFinger()
        presenter.yes()
        presenter.hints(Hint.KeyGone)
        presenter.yes()
        presenter.hints(Hint.KeyGone)
        assertEquals(emptyList(), hand.keys.prompts, "no other key was made and brought by itself")
        machine.run("devices", "set", "Ana's phone", "--forget-approval-key")
        presenter.yes()
        assertIs<Ending.Yes>(presenter.screen.reaches<RequestScreen.Over>().how)
        assertEquals(0, ask.exit())
    }

    @Test
    fun `no-screen-lock - nobody can approve with it, and a no works`() = scene {
        val machine = machine()
        val hand = paired(machine).mayAnswer()
        val settings = SettingsPresenter(hand.app, hand.keys, MemoryPreferences(), scope)
        assertEquals(true, settings.screen.value.screenLock)
        val ask = machine.asks("Deploy?")
        val presenter = open(hand)
        hand.keys.locked = false
        settings.enter()
        assertEquals(false, settings.screen.value.screenLock)
        presenter.yes()
        presenter.hints(Hint.NoScreenLock)
        assertEquals(emptyList(), hand.keys.prompts)
        presenter.no()
        assertIs<Ending.No>(presenter.screen.reaches<RequestScreen.Over>().how)
        assertEquals(1, ask.exit())
        assertFailsWith<PairpinException.Gone> {
            runBlocking { hand.app.prepareYes(hand.row, "ended", "AAAA") }
        }
    }
}
