// The list of machines, one machine, and what the phone's own life does to its connections.
package app.pairpin.shell

import app.pairpin.core.AddressWord
import app.pairpin.core.MachineCondition
import app.pairpin.core.PairpinException
import app.pairpin.core.version
import app.pairpin.testkit.eventually
import java.net.InetAddress
import java.net.ServerSocket
import java.util.Base64
import kotlin.test.Test
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertIs
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue

class ListBehaviour : Scene() {
    private fun MachinesPresenter.listed() = (screen.value as MachinesScreen.Listed).machines

    @Test
    fun `list-online - a machine that is reachable is connected, by its address`() = scene {
        val machine = machine()
        val hand = paired(machine)
        val online = hand.reaches<MachineCondition.Online>()
        assertEquals(machine.address, online.address)
        assertContains(listOf(AddressWord.LOOPBACK, AddressWord.ADVERTISED), online.kind)
        val machines = MachinesPresenter(hand.app, scope)
        assertEquals(online, machines.listed().single().condition)
    }

    @Test
    fun `list-offline - it is offline since it went, and connects by itself`() = scene {
        val machine = machine()
        val hand = paired(machine)
        val before = System.currentTimeMillis()
        machine.stop()
        val since = assertNotNull(hand.reaches<MachineCondition.Offline>().since)
        assertTrue(since in before - 60_000..System.currentTimeMillis(), "since $since, stopped after $before")
        machine.start()
        hand.reaches<MachineCondition.Online>()
    }

    @Test
    fun `session-ends - it warns once the end is near, and not before`() = scene {
        // By a clock that is behind, a life of 28 days and 20 seconds is one of 20 seconds, warned of in its last five.
        val machine = machine(clock = "-28d")
        val hand = paired(machine)
        val before = hand.app.state().machines.single().expiresAt
        machine.run("devices", "set", "Ana's phone", "--idle", "1d", "--absolute", "${28 * 24 * 3600 + 20}s")
        hand.app.background()
        hand.reaches<MachineCondition.Paused>()
        hand.app.foreground()
        val told = hand.state.becomes("told") { it.machines.single().expiresAt != before }.machines.single()
        assertNull(told.endsSoon)
        eventually("it warns") { hand.app.state().machines.single().endsSoon != null }
        assertEquals(told.expiresAt, MachinesPresenter(hand.app, scope).listed().single().endsSoon)
        assertTrue(told.expiresAt!! - System.currentTimeMillis() in -1000..5000)
    }

    @Test
    fun `rename - another name here, also after a start`() = scene {
        val (first, second) = listOf(machine(), machine("other"))
        val hand = paired(first)
        hand.pairs(second)
        val row = hand.app.state().machines.first().row
        val machine = MachinePresenter(hand.app, scope, row)
        machine.rename()
        for (name in listOf("", " ", "x".repeat(500), "other")) {
            machine.rename(name)
            val refused = machine.screen.becomes("refused: $name") { (it as? MachineScreen.Shown)?.problem != null }
            refused as MachineScreen.Shown
            assertIs<PairpinException.Name>(refused.problem, name)
            assertEquals(MachineStep.Renaming, refused.step, "the person may type another")
        }
        machine.rename("attic")
        machine.screen.becomes("renamed") { (it as? MachineScreen.Shown)?.machine?.name == "attic" }
        hand.close()
        val again = phone(phone = hand.phone)
        assertEquals(listOf("attic", "other"), again.app.state().machines.map { it.name })
    }

    /** Forgets the only machine as a person does. */
    private fun forget(hand: Hand): MachinePresenter =
        MachinePresenter(hand.app, scope, hand.row).apply {
            forgetForSure()
            assertEquals(MachineStep.Looking, (screen.value as MachineScreen.Shown).step, "nobody was asked yet")
            forget()
            forgetForSure()
        }

    @Test
    fun `forget - it is gone on both sides, and it says that this was the last owner`() = scene {
        val machine = machine()
        val hand = paired(machine)
        val over = forget(hand).screen.reaches<MachineScreen.Over>().forgotten
        assertEquals(listOf("homebox", null, true), listOf(over.name, over.stillListed, over.lastOwner))
        hand.state.becomes("an empty list") { it.machines.isEmpty() }
        assertEquals(emptyList(), machine.devices())
    }

    @Test
    fun `forget-offline - it is told as soon as it answers`() = scene {
        val machine = machine()
        val hand = paired(machine)
        machine.stop()
        hand.reaches<MachineCondition.Offline>()
        val over = forget(hand).screen.reaches<MachineScreen.Over>().forgotten
        assertNotNull(over.stillListed)
        hand.reaches<MachineCondition.Leaving>()
        machine.start()
        hand.app.networkChanged()
        hand.state.becomes("told") { state -> state.machines.all { it.condition is MachineCondition.Forgotten } }
        assertEquals(emptyList(), machine.devices())
    }

    @Test
    fun `background - the connection ends and comes back with the person`() = scene {
        val machine = machine()
        val hand = paired(machine)
        val presence = Presence(hand.app, MemoryPreferences(), scope)
        presence.hidden()
        hand.reaches<MachineCondition.Paused>()
        eventually("the machine sees it gone") { "\"connected\":0" in machine.run("devices", "--json") }
        presence.shown()
        hand.reaches<MachineCondition.Online>()
    }

    @Test
    fun `stay-connected - the connection is kept until it is switched off`() = scene {
        val machine = machine()
        val hand = paired(machine).mayAnswer()
        val preferences = MemoryPreferences().apply { setStayConnected(true) }
        val presence = Presence(hand.app, preferences, scope)
        presence.hidden()
        machine.asks("Deploy?")
        hand.waits()
        assertIs<MachineCondition.Online>(hand.app.state().machines.single().condition)
        preferences.setStayConnected(false)
        hand.reaches<MachineCondition.Paused>()
        preferences.setStayConnected(true)
        hand.reaches<MachineCondition.Online>()
    }

    @Test
    fun `network-change - a machine that was away is looked for at once`() = scene {
        val machine = machine()
        val hand = paired(machine)
        val presence = Presence(hand.app, MemoryPreferences(), scope)
        machine.stop()
        hand.reaches<MachineCondition.Offline>()
        // Whoever dials is let go of: the pauses between the dials grow.
        ServerSocket(machine.port, 50, InetAddress.getByName("127.0.0.1")).use { there ->
            there.soTimeout = 20_000
            fun dialled(): Long = there.accept().close().let { System.nanoTime() / 1_000_000 }
            var last = dialled()
            var pause = 0L
            while (pause < 3000) {
                val next = dialled()
                pause = next - last
                last = next
            }
            presence.networkChanged()
            val waited = dialled() - last
            assertTrue(waited < pause / 2, "dialled after $waited ms, the pause before was $pause ms")
        }
    }

    @Test
    fun `diagnostics - it tells how things stand, and no secret`() = scene {
        val machine = machine()
        val hand = paired(machine)
        val settings = SettingsPresenter(hand.app, hand.keys, MemoryPreferences(), scope)
        settings.diagnostics(true)
        val told = assertNotNull(settings.screen.value.diagnostics)
        assertContains(told, version())
        assertContains(told, "online", ignoreCase = true)
        val secrets = hand.phone.store.secrets.values
        assertTrue(secrets.isNotEmpty(), "there is no secret: the test proves nothing")
        for (secret in secrets) {
            val words = Regex("[A-Za-z0-9_-]{16,}").findAll(secret.decodeToString()).map { it.value }
            val forms = words + Base64.getUrlEncoder().withoutPadding().encodeToString(secret) + secret.toHexString()
            forms.filter { it.length >= 16 }.forEach { assertFalse(it in told, "a secret is in $told") }
        }
        settings.diagnostics(false)
        assertNull(settings.screen.value.diagnostics)
    }

    @Test
    fun `device-name - the next machine lists the phone under it`() = scene {
        val machine = machine()
        val hand = phone()
        val preferences = MemoryPreferences()
        val settings = SettingsPresenter(hand.app, hand.keys, preferences, scope)
        settings.rename(" Pocket ")
        settings.screen.becomes("renamed") { it.deviceName == "Pocket" }
        hand.pairs(machine)
        assertEquals(listOf("Pocket"), machine.devices())
        settings.rename("  ")
        settings.screen.becomes("its own") { it.deviceName == "Ana's phone" }
        val other = machine("other")
        other.offer("--role", "owner").let { hand.app.preview(it).pair() }
        assertEquals(listOf("Ana's phone"), other.devices())
    }
}
