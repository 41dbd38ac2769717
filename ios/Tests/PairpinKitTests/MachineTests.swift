// The list: how machines stand, their names, forgetting them, and the app that comes and goes.
import Foundation
import Pairpin
import PairpinKit
import Testing

private func isOffline(_ condition: MachineCondition) -> Int64?? {
    if case .offline(let since, _) = condition { .some(since) } else { nil }
}

@MainActor
@Suite struct MachineTests {
    @Test("list-online: with the address and the kind of its network")
    func listOnline() async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            let hand = try await scene.paired(machine)
            let (address, kind) = try await hand.stands("online") {
                if case .online(let address, let kind) = $0 { (address, kind) } else { nil }
            }
            #expect(address == machine.address && kind == .loopback)
            #expect(Texts(language: "en").of(hand.live.state.machines[0].condition) == "Online, the machine itself")
        }
    }

    @Test("list-offline: since that moment, and it connects by itself when it is back")
    func listOffline() async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            let hand = try await scene.paired(machine)
            let before = Date()
            try await machine.stop()
            let since = try #require(try await hand.stands("offline", nil, isOffline))
            #expect(abs(Double(since) / 1000 - before.timeIntervalSince1970) < 30)
            try await machine.start()
            try await hand.online()
        }
    }

    @Test("session-ends: a warning with the day, within seven days only")
    func sessionEnds() async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            let hand = try await scene.paired(machine)
            #expect(hand.machine()?.expiresAt != nil && hand.machine()?.endsSoon == nil)
            // As if all of it had been 175 days ago: a session lives for 180.
            hand.live.end()
            let then = 175 * 86_400_000
            try await machine.rewrite("UPDATE devices SET session_started_at = session_started_at - \(then)")
            let device = URL(fileURLWithPath: hand.phone.stateDir).appendingPathComponent("device.db")
            try await sqlite(device, "UPDATE machines SET paired_at = paired_at - \(then)")
            let later = try await scene.hand(hand.phone)
            let at = try await shown("a warning") { later.machine()?.endsSoon }
            #expect(abs(Double(at) / 1000 - Date().timeIntervalSince1970 - 5 * 86400) < 600)
            #expect(Texts(language: "de").until(at + 600_000) == "in 5 Tagen")
        }
    }

    @Test("rename: it keeps the name, and a name that cannot be is refused")
    func rename() async throws {
        try await scene { scene in
            let (machine, other) = (try await scene.machine(), try await scene.machine("cellar"))
            let hand = try await scene.paired(machine)
            try await hand.pairs(other)
            let row = try #require(hand.live.state.machines.first { $0.name == "homebox" }).row
            let model = MachineModel(hand.live, row: row)
            @MainActor func named(_ name: String) async throws -> PairpinError? {
                model.rename()
                model.rename(to: name)
                return try await shown("an answer") {
                    switch model.screen {
                    case .shown(_, .looking, nil): .some(nil)
                    case .shown(_, .renaming, let problem?): problem
                    default: nil
                    }
                }
            }
            #expect(try await named("") == .Name)
            #expect(try await named(String(repeating: "x", count: 300)) == .Name)
            #expect(try await named("cellar") == .Name)
            #expect(try await named("attic") == nil)
            hand.live.end()
            #expect(try await scene.hand(hand.phone).machine(row)?.name == "attic")
        }
    }

    @Test("forget: the machine takes the phone off its list, and says that it was the last owner")
    func forget() async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            let hand = try await scene.paired(machine)
            let model = MachineModel(hand.live, row: hand.row)
            model.forgetForSure()
            #expect(hand.live.state.machines.count == 1, "nobody was asked yet")
            model.forget()
            model.back()
            model.forget()
            model.forgetForSure()
            let forgotten = try await shown("over") { if case .over(let it) = model.screen { it } else { nil } }
            #expect(forgotten == Forgotten(name: "homebox", stillListed: nil, lastOwner: true))
            try await shown("an empty list") { hand.live.state.machines.isEmpty ? true : nil }
            #expect(try await machine.devices().isEmpty)
            #expect(hand.phone.store.isEmpty && hand.phone.signer.isEmpty)
        }
    }

    @Test("forget-offline: shown as leaving, and told and gone as soon as it answers")
    func forgetOffline() async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            let hand = try await scene.paired(machine)
            try await machine.stop()
            try await hand.stands("offline", nil, isOffline)
            let model = MachineModel(hand.live, row: hand.row)
            model.forget()
            model.forgetForSure()
            let forgotten = try await shown("over") { if case .over(let it) = model.screen { it } else { nil } }
            #expect(forgotten.stillListed != nil)
            try await hand.stands("leaving") { if case .leaving = $0 { true } else { nil } }
            try await machine.start()
            hand.app.networkChanged()
            try await shown("gone") { hand.live.state.machines.isEmpty ? true : nil }
            #expect(try await machine.devices().isEmpty)
        }
    }

    @Test("background: the connection ends, is not called offline, and is back at once")
    func background() async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            let hand = try await scene.paired(machine)
            hand.presence.hidden()
            try await hand.stands("paused") { $0 == .paused ? true : nil }
            hand.presence.shown()
            try await hand.online()
        }
    }

    @Test("stay-connected: the connection is kept until it is switched off")
    func stayConnected() async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            let hand = try await scene.paired(machine)
            let settings = SettingsModel(hand.live, hand.keys, hand.preferences, hand.presence)
            #expect(!settings.stayConnected, "off until the person says so")
            settings.stayConnected(true)
            hand.presence.hidden()
            try await hand.mayAnswer()
            // It is reached, though nobody looks.
            let ask = try scene.asks(machine, "Deploy?")
            _ = try await hand.waits()
            ask.kill()
            settings.stayConnected(false)
            try await hand.stands("paused") { $0 == .paused ? true : nil }
        }
    }

    @Test("network-change: a machine that was away is looked for at once")
    func networkChange() async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            let hand = try await scene.paired(machine)
            try await machine.stop()
            try await hand.stands("offline", nil, isOffline)
            try await machine.start()
            hand.presence.networkChanged()
            try await hand.online()
        }
    }

    @Test("diagnostics: the version and how each machine stands, and no secret")
    func diagnostics() async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            let hand = try await scene.paired(machine)
            let settings = SettingsModel(hand.live, hand.keys, hand.preferences, hand.presence)
            settings.diagnostics(show: true)
            let told = try #require(settings.diagnostics)
            #expect(told.contains(version()))
            for secret in hand.phone.store.secretTexts { #expect(!told.contains(secret)) }
            #expect(!hand.phone.store.secretTexts.isEmpty, "nothing was looked for: the test proves nothing")
            settings.diagnostics(show: false)
            #expect(settings.diagnostics == nil)
        }
    }

    @Test("device-name: the next machine lists it so, and a blank one is the phone's own again")
    func deviceName() async throws {
        try await scene { scene in
            let (machine, hand) = (try await scene.machine(), try await scene.hand())
            let settings = SettingsModel(hand.live, hand.keys, hand.preferences, hand.presence)
            settings.rename(" Ana's other phone ")
            #expect(settings.deviceName == "Ana's other phone")
            try await hand.pairs(machine)
            #expect(try await machine.devices() == ["Ana's other phone"])
            settings.rename("  ")
            #expect(settings.deviceName == "phone" && hand.preferences.deviceName == "phone")
            let second = try await scene.machine("cellar")
            try await hand.pairs(second)
            #expect(try await second.devices() == ["phone"])
        }
    }
}
