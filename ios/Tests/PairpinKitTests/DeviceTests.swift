// Roles, the devices of a machine, and invitations.
import Foundation
import Pairpin
import PairpinKit
import Testing

@MainActor
@Suite struct DeviceTests {
    /// Why an action is not to be had.
    private func whyNot(_ hand: Hand, _ action: ActionView) -> Hindrance? {
        hand.machine()?.actions.first { $0.action == action }?.whyNot
    }

    /// The list of devices, once it holds that.
    private func listed(
        _ model: DevicesModel, _ what: String, _ look: @escaping @MainActor ([DeviceView]) -> Bool
    ) async throws -> [DeviceView] {
        try await shown("\(what), not \(model.screen)") {
            if case .listed(let devices, nil, nil) = model.screen, look(devices) { devices } else { nil }
        }
    }

    @Test("viewer-limits: what needs another role says which, and no ask comes")
    func viewerLimits() async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            let owner = try await scene.paired(machine, "Ben's phone")
            try await owner.mayAnswer()
            let hand = try await scene.paired(machine, role: "viewer")
            #expect(whyNot(hand, .answer) == .role(least: .operator))
            #expect(whyNot(hand, .devices) == .role(least: .owner) && whyNot(hand, .decide) == .role(least: .owner))
            #expect(whyNot(hand, .rename) == nil && whyNot(hand, .forget) == nil)
            #expect(Texts(language: "en").of(.role(least: .owner) as Hindrance) == "Only for the role owner")
            let ask = try scene.asks(machine, "Deploy?")
            let request = try await owner.opens()
            request.no()
            _ = try await ask.exit()
            #expect(hand.live.state.inbox.isEmpty && hand.live.state.ended.isEmpty)
        }
    }

    @Test("operator-limits: it may answer the ask, and no more")
    func operatorLimits() async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            _ = try await scene.paired(machine, "Ben's phone")
            let hand = try await scene.paired(machine, role: "operator")
            #expect(whyNot(hand, .answer) == nil)
            #expect(whyNot(hand, .devices) == .role(least: .owner) && whyNot(hand, .decide) == .role(least: .owner))
            try await hand.mayAnswer()
            let ask = try scene.asks(machine, "Deploy?")
            let request = try await hand.opens()
            request.yes()
            #expect(try await ask.exit() == 0)
            let model = DevicesModel(hand.live, hand.approver, row: hand.row)
            try await shown("refused") {
                if case .failed(.NotAllowed(_, .operator), again: false) = model.screen { true } else { nil }
            }
        }
    }

    @Test("revoke-other: it is gone, cut, and told by whom and why")
    func revokeOther() async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            let hand = try await scene.paired(machine)
            let other = try await scene.paired(machine, "Ben's phone", role: "operator")
            let model = DevicesModel(hand.live, hand.approver, row: hand.row)
            let devices = try await listed(model, "both") { $0.count == 2 }
            model.revoke(try #require(devices.first { $0.name == "Ben's phone" }).id, reason: " lost it ")
            let left = try await listed(model, "one") { $0.count == 1 }
            #expect(left.map(\.name) == ["Ana's phone"] && left[0].thisPhone)
            let (by, reason) = try await other.stands("revoked") {
                if case .revoked(let by, _, let reason) = $0 { (by, reason) } else { nil }
            }
            #expect(by?.contains("Ana's phone") == true)
            #expect(reason == "lost it")
            #expect(hand.keys.prompts == [.bringKey, .revoke])
        }
    }

    @Test("device-role: the list and the other phone show it, and what cannot be done says why")
    func deviceRole() async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            let hand = try await scene.paired(machine)
            let other = try await scene.paired(machine, "Ben's phone", role: "operator")
            let model = DevicesModel(hand.live, hand.approver, row: hand.row)
            let devices = try await listed(model, "both") { $0.count == 2 }
            let own = try #require(devices.first { $0.thisPhone })
            let why = Dictionary(uniqueKeysWithValues: own.actions.map { ($0.action, $0.whyNot) })
            #expect(why.values.contains { $0 != nil }, "nothing can be done to the last owner, and by itself")
            let id = try #require(devices.first { $0.name == "Ben's phone" }).id
            model.setRole(id, .viewer)
            _ = try await listed(model, "a viewer") { $0.contains { $0.id == id && $0.role == .viewer } }
            try await shown("its own role") { other.machine()?.role == .viewer ? true : nil }
            try await other.online()
            try await shown("connected again") {
                guard case .listed(let all, nil, nil) = model.screen else { return nil as Bool? }
                return all.contains { $0.id == id && $0.connected > 0 } ? true : nil
            }
        }
    }

    @Test("invite: a second phone scans it, and both show the same digits")
    func invite() async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            let (hand, other) = (try await scene.paired(machine), try await scene.hand("Ben's phone"))
            let model = InviteModel(hand.live, hand.approver, row: hand.row)
            model.invite(.viewer)
            let offer = try await shown("an offer, not \(model.screen)") {
                if case .shown(let offer, _) = model.screen { offer } else { nil }
            }
            let qr = Modules(try #require(offer.qr))
            let scan = ScanModel(other.live, PictureCamera(.allowed, sees: Frame(qr)))
            scan.enter()
            #expect(try await shown("found", { scan.found }) == .offer(link: try #require(offer.link)))
            let pairing = other.pairing(try #require(offer.link))
            #expect(try await pairing.asks().role == .viewer)
            pairing.confirm()
            let digits = try await pairing.pairs().digits
            let arrived = try await shown("the second phone") {
                if case .arrived(let device) = model.screen { device } else { nil }
            }
            #expect(arrived == Arrival(name: "Ben's phone", role: .viewer, digits: digits) && digits?.count == 4)
        }
    }

    @Test("invite-expired: counted down, put away, and another can be made")
    func inviteExpired() async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            let hand = try await scene.paired(machine)
            let model = InviteModel(hand.live, hand.approver, row: hand.row)
            model.invite(.viewer, seconds: 10)
            for seconds: UInt64 in [10, 9, 5, 1] {
                try await shown("\(seconds) s, not \(model.screen)") {
                    if case .shown(_, let left) = model.screen { left <= seconds ? true : nil } else { nil }
                }
            }
            try await shown("expired") { model.screen == .expired ? true : nil }
            model.another()
            model.invite(.viewer)
            try await shown("another") { if case .shown = model.screen { true } else { nil } }
        }
    }
}
