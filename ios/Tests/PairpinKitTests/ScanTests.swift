// The first minutes: the empty list, the camera, and what is brought to the scanner.
import Foundation
import Pairpin
import PairpinKit
import Testing

/// A QR of somebody else.
private let others = Modules(rows: [
    "#######.###.#.#######", "#.....#.#.#.#.#.....#", "#.###.#.#..#..#.###.#", "#.###.#.####..#.###.#",
    "#.###.#....##.#.###.#", "#.....#.##.##.#.....#", "#######.#.#.#.#######", ".........####........",
    "##..###..#.##..#.####", "#..#...##..#.#.##..#.", "#.#.#.#####.#######.#", "#..##..##.#........#.",
    "##.##.#....##.##...##", "........####.###.##..", "#######...##.#.#....#", "#.....#.#.#..###....#",
    "#.###.#.#..###....##.", "#.###.#..#..##.#.####", "#.###.#......#...##..", "#.....#.####.#..##..#",
    "#######.###.#.####.##",
])

@MainActor
@Suite struct ScanTests {
    @Test("first-start: the list is empty and teaches, and nothing was asked or made")
    func firstStart() async throws {
        try await scene { scene in
            let hand = try await scene.hand()
            #expect(MachinesModel(hand.live).screen == .empty)
            for texts in Texts.languages.map(Texts.init(language:)) {
                #expect(texts[.machinesEmptyCommand] == "pairpin serve")
            }
            #expect(hand.keys.prompts.isEmpty && hand.phone.store.isEmpty && hand.phone.signer.isEmpty)
            #expect(hand.live.state.inbox.isEmpty)
        }
    }

    @Test("camera-refused: pasting and typing lead on, and once it is allowed it looks")
    func cameraRefused() async throws {
        try await scene { scene in
            let (machine, hand) = (try await scene.machine(), try await scene.hand())
            let camera = PictureCamera(.notAsked)
            camera.answer = .refusedForGood
            let scan = ScanModel(hand.live, camera)
            scan.enter()
            try await shown("refused") { scan.access == .refusedForGood ? true : nil }
            #expect(camera.asked == 1 && camera.opened == 0)
            #expect(Texts.ofThePhone.of(scan.access) != nil)
            scan.paste(try await machine.offer())
            try await shown("the offer that was pasted") { if case .offer = scan.found { true } else { nil } }
            scan.taken()
            scan.typed(address: " \(machine.address) ", code: " 1234 5678 ")
            #expect(scan.found == .code(address: machine.address, code: "1234 5678"))
            scan.taken()
            #expect(camera.opened == 0)
            // In the phone's settings, and back again.
            camera.access = .allowed
            scan.enter()
            #expect(camera.isOpen && camera.asked == 1)
            scan.leave()
            #expect(!camera.isOpen)
        }
    }

    @Test("scan-offer: the camera stops at the first frame that holds it", arguments: [0.0, 7, 41, 180])
    func scanOffer(degrees: Double) async throws {
        try await scene { scene in
            let (machine, hand) = (try await scene.machine(), try await scene.hand())
            let qr = try await machine.offerQr()
            let camera = PictureCamera(.allowed, sees: Frame(qr, degrees: degrees))
            let scan = ScanModel(hand.live, camera)
            scan.enter()
            scan.torch(true)
            #expect(camera.lit && scan.torch == .on)
            let found = try await shown("the offer") { scan.found }
            #expect(!camera.isOpen && !camera.lit && scan.torch == .off)
            guard case .offer(let link) = found else { throw NotInTime(description: "\(found)") }
            scan.paste(try await machine.offer())
            #expect(scan.found == .offer(link: link), "the first counts")
        }
    }

    @Test("scan-not-ours: it says what it was, and goes on looking")
    func scanNotOurs() async throws {
        try await scene { scene in
            let (machine, hand) = (try await scene.machine(), try await scene.hand())
            let camera = PictureCamera(.allowed, sees: Frame(others))
            let scan = ScanModel(hand.live, camera)
            scan.enter()
            try await shown("that it is not ours") { scan.problem == .NotOurs ? true : nil }
            #expect(camera.isOpen && scan.found == nil)
            scan.paste(String(try await machine.offer().dropLast(6)))
            #expect(scan.problem == .DamagedLink)
            let printed = try await machine.run("recovery", "print", "--yes")
            // Each line ends with two letters that check it.
            let lines = printed.split(separator: "\n").compactMap { $0.wholeMatch(of: /\s*\d+:\s+([A-Z2-7 ]+)/)?.1 }
            let letters = lines.map { $0.filter { $0 != " " }.dropLast(2) }
            scan.paste("PAIRPIN-RECOVERY/" + letters.joined())
            #expect(scan.problem == .IsSheet)
            camera.sees = Frame(try await machine.offerQr())
            try await shown("the offer that it saw next") { scan.found }
            #expect(scan.problem == nil)
        }
    }

    @Test("deep-link: the person is asked, in any case of letters", arguments: [false, true])
    func deepLink(small: Bool) async throws {
        try await scene { scene in
            let (machine, hand) = (try await scene.machine(), try await scene.hand())
            let link = try await machine.offer()
            let url = try #require(URL(string: small ? link.lowercased() : link.uppercased()))
            let scan = ScanModel(hand.live, PictureCamera(.notAsked))
            #expect(scan.opened(url))
            guard case .offer(let text) = scan.found else { throw NotInTime(description: "no offer") }
            let pairing = hand.pairing(text)
            try await shown("the question") { if case .confirming = pairing.screen { true } else { nil } }
            #expect(hand.live.state.machines.isEmpty)
            #expect(try await machine.devices().isEmpty)
            pairing.leave()
            #expect(try await machine.run("offers", "--json").contains("\"number\""), "nothing was used up")
            #expect(!scan.opened(try #require(URL(string: "https://example.org/"))))
        }
    }

    @Test("paste: white space around a link is no matter")
    func paste() async throws {
        try await scene { scene in
            let (machine, hand) = (try await scene.machine(), try await scene.hand())
            let link = try await machine.offer()
            let scan = ScanModel(hand.live, PictureCamera(.noCamera))
            scan.paste("\n  \(link)\t\n")
            #expect(scan.found == .offer(link: link))
        }
    }
}
