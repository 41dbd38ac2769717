// Pairing: the question, the yes, and every way in which an offer or a code does not work.
import Foundation
import Pairpin
import PairpinKit
import Testing

@MainActor
@Suite struct PairingTests {
    @Test("pair: a machine is scanned, confirmed, listed and connected")
    func pair() async throws {
        try await scene { scene in
            let (machine, hand) = (try await scene.machine(), try await scene.hand())
            let scan = ScanModel(hand.live, PictureCamera(.allowed, sees: Frame(try await machine.offerQr())))
            scan.enter()
            guard case .offer(let link) = try await shown("found", { scan.found }) else {
                throw NotInTime(description: "no offer")
            }
            let pairing = hand.pairing(link)
            let asked = try await pairing.asks()
            #expect(asked.name == "homebox" && asked.role == .owner && asked.question == .new)
            #expect(try await asked.fingerprint == machine.fingerprint())
            #expect(try await machine.devices().isEmpty, "nothing is paired before the person says yes")
            pairing.confirm()
            _ = try await pairing.pairs()
            let machines = MachinesModel(hand.live)
            try await shown("listed and connected") { () -> Bool? in
                guard case .listed(let list, 0) = machines.screen, case .online = list.first?.condition else {
                    return nil
                }
                return list.count == 1 ? true : nil
            }
            #expect(try await machine.devices() == ["Ana's phone"])
        }
    }

    @Test("pair-no: a no uses nothing up")
    func pairNo() async throws {
        try await scene { scene in
            let (machine, hand) = (try await scene.machine(), try await scene.hand())
            let link = try await machine.offer()
            let pairing = hand.pairing(link)
            _ = try await pairing.asks()
            pairing.leave()
            #expect(pairing.screen == .looking)
            pairing.found(link)
            _ = try await pairing.asks()
            pairing.confirm()
            _ = try await pairing.pairs()
        }
    }

    @Test("check-digits: the phone and the machine show the same four")
    func checkDigits() async throws {
        try await scene { scene in
            let (machine, hand) = (try await scene.machine(), try await scene.hand())
            let offer = scene.ends(try machine.starts(["pair", "--json"]))
            let pairing = hand.pairing(try member(await offer.line("\"offer\""), "link"))
            _ = try await pairing.asks()
            pairing.confirm()
            let digits = try #require(try await pairing.pairs().digits)
            #expect(digits.count == 4)
            #expect(try await member(offer.line("\"paired\""), "check_digits") == digits)
        }
    }

    @Test("pair-interrupted: the same yes is tried again once the machine is back")
    func pairInterrupted() async throws {
        try await scene { scene in
            let (machine, hand) = (try await scene.machine(), try await scene.hand())
            let pairing = hand.pairing(try await machine.offer())
            _ = try await pairing.asks()
            try await machine.stop()
            pairing.confirm()
            let first = try await pairing.fails()
            guard case .NotReachable = first.error else { throw NotInTime(description: "\(first)") }
            #expect(first.again)
            // A machine keeps no offers over a start: so the answer is that it does not know it.
            try await machine.start()
            pairing.again()
            let second = try await shown("another answer") {
                if case .failed(.OfferUnknown, let again) = pairing.screen { again } else { nil }
            }
            #expect(!second)
        }
    }

    @Test("pair-killed: wherever the app ends, the same offer leads to one machine")
    func pairKilled() async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            var (write, died) = (0, true)
            while died {
                // Each time it gets one write further.
                write += 1
                let phone = try Phone("phone \(write)")
                phone.store.dies(atWrite: write)
                let link = try await machine.offer()
                let first = try await scene.hand(phone)
                let dying = first.pairing(link)
                _ = try await dying.asks()
                dying.confirm()
                died = try await shown("an end") {
                    switch dying.screen {
                    case .done: false
                    case .failed: true
                    default: nil
                    }
                }
                first.live.end()
                phone.store.dies(atWrite: nil)
                let second = try await scene.hand(phone)
                let taken = second.pairing(link)
                try await shown("an answer") {
                    switch taken.screen {
                    case .confirming, .done: true
                    default: nil
                    }
                }
                taken.confirm()
                _ = try await taken.pairs()
                try await second.online()
                #expect(try await machine.devices().filter { $0 == phone.name }.count == 1)
            }
            #expect(write > 1, "no write was interrupted: the test proves nothing")
        }
    }

    @Test("pair-again: it is known by its name here, and stays one machine")
    func pairAgain() async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            let hand = try await scene.paired(machine)
            _ = try await hand.app.rename(row: hand.row, name: "attic")
            let again = hand.pairing(try await machine.offer())
            #expect(try await again.asks().question == .again(knownAs: "attic"))
            again.confirm()
            _ = try await again.pairs()
            try await hand.online()
            #expect(hand.live.state.machines.map(\.name) == ["attic"])
            #expect(try await machine.devices() == ["Ana's phone"])
        }
    }

    @Test("two-machines: each has a name and a state of its own")
    func twoMachines() async throws {
        try await scene { scene in
            let (first, second) = (try await scene.machine(), try await scene.machine())
            let hand = try await scene.paired(first)
            try await hand.pairs(second)
            let machines = hand.live.state.machines
            #expect(Set(machines.map(\.name)).count == 2)
            #expect(machines.first?.name == "homebox", "in the order in which they were paired")
            #expect(machines.map(\.machineName) == ["homebox", "homebox"])
            // A name that stands before theirs in the alphabet is no earlier pairing.
            _ = try await hand.app.rename(row: machines[1].row, name: "attic")
            try await shown("its new name") { hand.machine(machines[1].row)?.name == "attic" ? true : nil }
            #expect(hand.live.state.machines.map(\.row) == machines.map(\.row))
            try await first.stop()
            try await hand.stands("offline", machines[0].row) { if case .offline = $0 { true } else { nil } }
            try await hand.online(machines[1].row)
        }
    }

    @Test("offer-expired: it says so, and that another is needed")
    func offerExpired() async throws {
        try await scene { scene in
            let (machine, hand) = (try await scene.machine(), try await scene.hand())
            let offer = scene.ends(try machine.starts(["pair", "--json", "--ttl", "10s"]))
            let link = try await member(offer.line("\"offer\""), "link")
            _ = try await offer.line("\"expired\"")
            #expect(try await hand.pairing(link).fails() == Failure(.OfferExpired, again: false))
        }
    }

    @Test("offer-used: a second phone is told that it came too late")
    func offerUsed() async throws {
        try await scene { scene in
            let (machine, hand) = (try await scene.machine(), try await scene.hand())
            let link = try await machine.offer()
            _ = try await scene.hand("Ben's phone").app.preview(link: link).pair()
            #expect(try await hand.pairing(link).fails() == Failure(.OfferUsed, again: false))
        }
    }

    @Test("offer-withdrawn: a yes after that pairs nothing")
    func offerWithdrawn() async throws {
        try await scene { scene in
            let (machine, hand) = (try await scene.machine(), try await scene.hand())
            let pairing = hand.pairing(try await machine.offer())
            _ = try await pairing.asks()
            try await machine.run("offers", "cancel", "--all")
            pairing.confirm()
            #expect(try await pairing.fails() == Failure(.OfferWithdrawn, again: false))
            #expect(try await machine.devices().isEmpty)
        }
    }

    @Test("offer-other-network: it says who was looked for, where, and where the phone is")
    func offerOtherNetwork() async throws {
        try await scene { scene in
            let (machine, hand) = (try await scene.machine(), try await scene.hand())
            let link = try await machine.offer()
            try await machine.stop()
            let failure = try await hand.pairing(link).fails()
            guard case .NotReachable(_, let tried, let networks) = failure.error else {
                throw NotInTime(description: "\(failure)")
            }
            #expect(tried.contains { $0.contains(machine.address) } && failure.again)
            let said = Texts(language: "en").of(failure.error)
            #expect(said.contains(machine.address) && networks.allSatisfy(said.contains))
        }
    }

    @Test("offer-other-key: another machine at the address is a hard stop")
    func offerOtherKey() async throws {
        try await scene { scene in
            let (machine, hand) = (try await scene.machine(), try await scene.hand())
            let link = try await machine.offer()
            try await machine.stop()
            let impostor = try await scene.machine(port: machine.port)
            let failure = try await hand.pairing(link).fails()
            guard case .KeyChanged(_, let seen) = failure.error else { throw NotInTime(description: "\(failure)") }
            #expect(try await seen == impostor.fingerprint())
            #expect(!failure.again && hand.live.state.machines.isEmpty)
            #expect(try await impostor.devices().isEmpty)
        }
    }

    @Test("code-typed: the person is asked with the machine's key, and pairs")
    func codeTyped() async throws {
        try await scene { scene in
            let (machine, hand) = (try await scene.machine(), try await scene.hand())
            let pairing = PairingModel(hand.live)
            pairing.typed(address: machine.address, code: try await machine.code())
            #expect(try await pairing.asks().fingerprint == machine.fingerprint())
            #expect(try await machine.devices().isEmpty)
            pairing.confirm()
            _ = try await pairing.pairs()
            #expect(try await machine.devices() == ["Ana's phone"])
        }
    }

    @Test("code-wrong: the tries that are left are told, and after three the right one is too late")
    func codeWrong() async throws {
        try await scene { scene in
            let (machine, hand) = (try await scene.machine(), try await scene.hand())
            let right = try await machine.code()
            let wrong = right == "0000 0000" ? "0000 0001" : "0000 0000"
            @MainActor func types(_ code: String) async throws -> PairpinError {
                let pairing = PairingModel(hand.live)
                pairing.typed(address: machine.address, code: code)
                let failure = try await pairing.fails()
                #expect(!failure.again, "a code that failed is not tried again by itself")
                return failure.error
            }
            #expect(try await types("12") == .NotACode)
            #expect(try await types(wrong) == .CodeWrong(triesLeft: 2))
            #expect(try await types(wrong) == .CodeWrong(triesLeft: 1))
            let third = try await types(wrong)
            #expect(third == .CodeWrong(triesLeft: 0) || third == .CodeClosed)
            #expect(try await types(right) == .CodeClosed)
            #expect(try await machine.devices().isEmpty)
        }
    }
}

/// How a pairing failed.
struct Failure: Equatable {
    let error: PairpinError
    let again: Bool

    init(_ error: PairpinError, again: Bool) { (self.error, self.again) = (error, again) }
}

extension PairingModel {
    /// Waits for the question.
    func asks() async throws -> PairPreview {
        guard case .confirming(let preview) = try await rests() else { throw NotInTime(description: "\(screen)") }
        return preview
    }

    /// Waits until it is paired.
    func pairs() async throws -> Paired {
        guard case .done(let paired) = try await rests() else { throw NotInTime(description: "\(screen)") }
        return paired
    }

    /// Waits until it has failed.
    func fails() async throws -> Failure {
        guard case .failed(let error, let again) = try await rests() else { throw NotInTime(description: "\(screen)") }
        return Failure(error, again: again)
    }

    /// Waits until nothing is under way.
    private func rests() async throws -> PairingScreen {
        try await shown("the end of \(screen)") {
            switch self.screen {
            case .looking, .asking, .working: nil
            default: self.screen
            }
        }
    }
}
