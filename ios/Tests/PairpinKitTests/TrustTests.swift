// Revoked, keys that change, and what a phone can lose.
import Foundation
import Pairpin
import PairpinKit
import Testing

/// By whom, when and why.
private struct Told: Equatable {
    let by: String?
    let at: Int64?
    let reason: String?
}

private func told(_ condition: MachineCondition) -> Told? {
    if case .revoked(let by, let at, let reason) = condition { Told(by: by, at: at, reason: reason) } else { nil }
}

@MainActor
@Suite struct TrustTests {
    private func stopped(_ model: HardStopModel) async throws -> (MachineView, String) {
        try await shown("a hard stop") {
            if case .changed(let machine, let seen) = model.screen { (machine, seen) } else { nil }
        }
    }

    @Test("revoked-live: the list says at once by whom, when and why")
    func revokedLive() async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            let hand = try await scene.paired(machine)
            try await machine.run("devices", "revoke", "Ana's phone", "--yes", "--reason", "sold")
            let told = try await hand.stands("revoked", nil, told)
            #expect(told.reason == "sold" && told.by != nil)
            #expect(abs(Double(try #require(told.at)) / 1000 - Date().timeIntervalSince1970) < 60)
            let possible = hand.machine()?.actions.filter { $0.whyNot == nil }.map(\.action) ?? []
            #expect(possible.contains(.forget) && possible.contains(.scanAgain))
            #expect(!possible.contains(.answer) && !possible.contains(.devices) && !possible.contains(.decide))
        }
    }

    @Test("revoked-away: it is told the same when it connects later")
    func revokedAway() async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            let hand = try await scene.paired(machine)
            hand.presence.hidden()
            try await hand.stands("paused") { $0 == .paused ? true : nil }
            try await machine.run("devices", "revoke", "Ana's phone", "--yes", "--reason", "lost")
            hand.presence.shown()
            let told = try await hand.stands("revoked", nil, told)
            #expect(told.reason == "lost" && told.by != nil && told.at != nil)
        }
    }

    @Test("key-changed: both fingerprints are shown, and nothing is decided there")
    func keyChanged() async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            let hand = try await scene.paired(machine)
            let old = try await machine.fingerprint()
            let model = HardStopModel(hand.live, row: hand.row)
            #expect(model.screen == .over)
            try await machine.makesItsKeyAnew()
            hand.app.networkChanged()
            let (view, seen) = try await stopped(model)
            #expect(view.fingerprint == old)
            #expect(try await seen == machine.fingerprint() && seen != old)
            let possible = Set(view.actions.filter { $0.whyNot == nil }.map(\.action))
            #expect(possible.isSubset(of: [.rename, .forget, .scanAgain]) && possible.contains(.scanAgain))
            // Another machine at its address is no better.
            try await machine.stop()
            let impostor = try await scene.machine(port: machine.port)
            hand.app.networkChanged()
            let its = try await impostor.fingerprint()
            try await shown("the other key") {
                if case .changed(_, let seen) = model.screen { seen == its ? true : nil } else { nil }
            }
            #expect(hand.machine()?.fingerprint == old)
        }
    }

    @Test("key-repinned: the question names both keys, and it is the same machine after the yes")
    func keyRepinned() async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            let hand = try await scene.paired(machine)
            let (row, old) = (hand.row, try await machine.fingerprint())
            let model = HardStopModel(hand.live, row: row)
            try await machine.makesItsKeyAnew()
            hand.app.networkChanged()
            _ = try await stopped(model)
            let pairing = hand.pairing(try await machine.offer())
            let asked = try await pairing.asks()
            #expect(asked.question == .replaceKey(knownAs: "homebox", oldFingerprint: old))
            #expect(try await asked.fingerprint == machine.fingerprint())
            pairing.confirm()
            _ = try await pairing.pairs()
            try await hand.online(row)
            #expect(hand.live.state.machines.map(\.row) == [row])
            try await shown("over") { model.screen == .over ? true : nil }
        }
    }

    @Test("key-rotated: it follows by itself")
    func keyRotated() async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            let hand = try await scene.paired(machine)
            let old = try await machine.fingerprint()
            hand.presence.hidden()
            try await hand.stands("paused") { $0 == .paused ? true : nil }
            try await machine.run("key", "rotate", "--yes")
            let new = try await machine.fingerprint()
            hand.presence.shown()
            try await hand.online()
            #expect(new != old)
            #expect(hand.machine()?.fingerprint == new)
        }
    }

    @Test("secrets-lost: each machine says that its keys are gone, and pairing again works")
    func secretsLost() async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            let first = try await scene.paired(machine)
            first.live.end()
            let hand = try await scene.hand(Phone(restoredFrom: first.phone))
            try await hand.stands("without keys") { $0 == .keysGone ? true : nil }
            let why = hand.machine()?.actions.first { $0.action == .scanAgain }?.whyNot
            #expect(why == .forgetFirst)
            #expect(hand.machine()?.name == "homebox")
            #expect(hand.phone.store.isEmpty && hand.phone.signer.isEmpty, "no key was made silently")
            let old = MachineModel(hand.live, row: hand.row)
            old.forget()
            old.forgetForSure()
            let forgotten = try await shown("over") { if case .over(let it) = old.screen { it } else { nil } }
            #expect(forgotten.stillListed != nil, "nobody could tell the machine")
            try await shown("an empty list") { hand.live.state.machines.isEmpty ? true : nil }
            try await hand.pairs(machine)
            #expect(hand.live.state.machines.count == 1)
        }
    }

    @Test("state-damaged: it offers to start anew, and puts it aside only then")
    func stateDamaged() async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            let first = try await scene.paired(machine)
            let (phone, state) = (first.phone, first.phone.stateDir)
            first.live.end()
            let files = try FileManager.default.contentsOfDirectory(atPath: state)
            let database = try #require(files.first { $0.hasSuffix(".db") || $0.hasSuffix(".sqlite") })
            try Data("no database".utf8).write(to: URL(fileURLWithPath: state).appendingPathComponent(database))
            let start = StartModel(open: phone.open, moveAside: { try startAnew(stateDir: state) })
            @MainActor func failed() async throws -> Bool {
                try await shown("a failure") {
                    if case .failed(.StateDamaged, let anew) = start.screen { anew } else { nil }
                }
            }
            #expect(try await failed())
            start.again()
            #expect(try await failed(), "nothing was put aside yet")
            start.startAnew()
            let live = try await shown("open") { if case .ready(let live) = start.screen { live } else { nil } }
            #expect(live.state.machines.isEmpty)
            live.end()
        }
    }

    @Test("store-locked: the phone says why, and once the store works the same can be done")
    func storeLocked() async throws {
        try await scene { scene in
            let (machine, hand) = (try await scene.machine(), try await scene.hand())
            let link = try await machine.offer()
            let pairing = hand.pairing(link)
            _ = try await pairing.asks()
            hand.phone.store.locked = "the phone is locked: unlock it"
            pairing.confirm()
            guard case .Keys(let why) = try await pairing.fails().error else {
                throw NotInTime(description: "\(pairing.screen)")
            }
            #expect(why.contains("unlock it"))
            hand.phone.store.locked = nil
            pairing.leave()
            pairing.found(link)
            _ = try await pairing.asks()
            pairing.confirm()
            _ = try await pairing.pairs()
            try await hand.online()
        }
    }

    @Test("clock-wrong: pairing works, and what is left of an ask is the time that is left")
    func clockWrong() async throws {
        try await scene { scene in
            let machine = try await scene.machine(clock: "+40d")
            let hand = try await scene.paired(machine)
            try await hand.mayAnswer()
            let ask = try scene.asks(machine, "Deploy?")
            let left = Double(try await hand.waits().until) / 1000 - Date().timeIntervalSince1970
            #expect((1...61).contains(left), "\(left) s are left of 60")
            let request = try await hand.opens()
            request.yes()
            #expect(try await ask.exit() == 0)
        }
    }
}
