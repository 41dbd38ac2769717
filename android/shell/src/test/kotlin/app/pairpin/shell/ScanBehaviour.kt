// The first start, and what the scanner makes of what a person brings.
package app.pairpin.shell

import app.pairpin.core.PairQuestion
import app.pairpin.core.PairpinException
import app.pairpin.core.QrModules
import app.pairpin.core.qrModules
import app.pairpin.testkit.frameOf
import app.pairpin.testkit.wholeFrameOf
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertIs
import kotlin.test.assertNull
import kotlin.test.assertTrue

class ScanBehaviour : Scene() {
    @Test
    fun `first-start - the list is empty, and nobody was asked anything`() = scene {
        val start = StartPresenter(scope, { phone().app }, {})
        val app = start.screen.reaches<StartScreen.Ready>().app
        assertEquals(MachinesScreen.Empty, MachinesPresenter(app, scope).screen.value)
        assertEquals(InboxScreen(), InboxPresenter(app, scope).screen.value)
    }

    @Test
    fun `camera-refused - pasting leads on, and once it is allowed the camera looks`() = scene {
        val machine = machine()
        for (answer in listOf(CameraAccess.Refused, CameraAccess.RefusedForGood)) {
            val camera = PictureCamera(CameraAccess.NotAsked, frameOf(machine.offerPicture()))
            camera.answer = answer
            val scan = ScanPresenter(phone("of $answer").app, camera, scope)
            scan.enter()
            scan.screen.becomes("refused") { it.camera == answer }
            assertEquals(listOf(1, 0), listOf(camera.asked, camera.opened), "asked once, and closed")
            val link = machine.offer()
            scan.paste(link)
            assertEquals(Found.Offer(link), scan.screen.value.found)
            scan.taken()
            // In the phone's settings, or by the button.
            camera.answer = CameraAccess.Allowed
            scan.askForCamera()
            assertIs<Found.Offer>(scan.screen.becomes("found") { it.found != null }.found)
        }
    }

    @Test
    fun `scan-offer - a turned and noisy QR is found once, and the camera stops`() = scene {
        val machine = machine()
        val camera = PictureCamera(CameraAccess.Allowed, frameOf(machine.offerPicture()))
        val scan = ScanPresenter(phone().app, camera, scope)
        assertEquals(0, camera.opened, "nothing is looked at before somebody looks")
        scan.enter()
        scan.torch(true)
        val found = assertIs<Found.Offer>(scan.screen.becomes("found") { it.found != null }.found)
        scan.screen.becomes("the light is out") { it.torch == Torch.Off }
        assertEquals(listOf(false, false), listOf(camera.open, camera.lit))
        assertTrue(found.link.startsWith("PAIRPIN:", ignoreCase = true))
        scan.leave()
        scan.taken()
        assertEquals(1, camera.opened, "the screen is left: it stays closed")
    }

    @Test
    fun `scan-not-ours - it says what it was, and goes on looking`() = scene {
        val machine = machine()
        val camera = PictureCamera(CameraAccess.Allowed, frameOf(FOREIGN))
        val scan = ScanPresenter(phone().app, camera, scope)
        scan.enter()
        scan.screen.becomes("not ours") { it.problem is PairpinException.NotOurs }
        val page = directory.resolve("sheet.png")
        machine.run("recovery", "print", "--yes", "--out", page.toString())
        camera.sees = wholeFrameOf(page)
        scan.screen.becomes("a sheet") { it.problem is PairpinException.IsSheet }
        val link = machine.offer()
        scan.paste(link.dropLast(3))
        scan.screen.becomes("damaged") { it.problem is PairpinException.DamagedLink }
        camera.sees = frameOf(qrModules(link)!!)
        val found = scan.screen.becomes("found") { it.found != null }
        assertEquals(Found.Offer(link), found.found)
        assertNull(found.problem)
        assertEquals(1, camera.opened, "it never stopped looking")
    }

    @Test
    fun `deep-link - it asks, and pairs nothing by itself`() = scene {
        val machine = machine()
        val hand = phone()
        val scan = ScanPresenter(hand.app, PictureCamera(CameraAccess.Refused), scope)
        for (link in listOf(machine.offer(), machine.offer().uppercase(), machine.offer().lowercase())) {
            scan.paste(link)
            val found = assertIs<Found.Offer>(scan.screen.value.found, link)
            scan.taken()
            val pairing = PairingPresenter(hand.app, scope)
            pairing.found(found.link)
            assertEquals(PairQuestion.New, pairing.screen.reaches<PairingScreen.Confirming>().preview.question)
            pairing.leave()
        }
        assertEquals(emptyList(), hand.app.state().machines)
        assertEquals(emptyList(), machine.devices())
    }

    @Test
    fun `paste - white space around a link does not matter`() = scene {
        val scan = ScanPresenter(phone().app, PictureCamera(CameraAccess.NoCamera), scope)
        val link = machine().offer()
        scan.paste("  \n$link\n")
        assertEquals(Found.Offer(link), scan.screen.value.found)
    }
}

/** The QR of somebody else, HTTPS://EXAMPLE.ORG/: as zxing-cpp draws it. */
private val FOREIGN =
    """
    #######...###.#######
    #.....#.####..#.....#
    #.###.#.#.#.#.#.###.#
    #.###.#.#.....#.###.#
    #.###.#.....#.#.###.#
    #.....#...#.#.#.....#
    #######.#.#.#.#######
    ........#.#..........
    #.....#.##.####..###.
    #.#.##.##..#...#.....
    ..#...####.#.###....#
    .......#.#.##..#####.
    .#....##....#.#.##.##
    ........####...#.####
    #######..##.##.####..
    #.....#..#.###...##..
    #.###.#..#.##.##..#.#
    #.###.#..##.#.##.##..
    #.###.#..#..#.#..#.##
    #.....#...#.##.#..#.#
    #######.#.#.##..##...
    """.trimIndent().replace("\n", "").let { drawn ->
        QrModules(21u, ByteArray(drawn.length) { if (drawn[it] == '#') 1 else 0 })
    }
