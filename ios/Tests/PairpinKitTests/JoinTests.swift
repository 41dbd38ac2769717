// Devices without an offer: let in by this phone, and this phone let in by another.
import Foundation
import Pairpin
import PairpinKit
import Testing

@MainActor
@Suite struct JoinTests {
    private let viewer = Terms(role: .viewer, name: "laptop", hours: 24)

    /// A laptop that asks, and what it shows.
    private func laptop(_ scene: Scene, _ machine: Machine) async throws -> (Running, String, String) {
        let laptop = try scene.joiner(machine)
        let asked = try await laptop.line("\"asked\"")
        return (laptop, try member(asked, "qr"), try member(asked, "number"))
    }

    /// The role under which the machine lists the device.
    private func role(_ hand: Hand, _ name: String) async throws -> RoleName? {
        try await hand.app.devices(row: hand.row).first { $0.name == name }?.role
    }

    @Test("join-scanned: its own request is opened, and it is let in with the role that was chosen")
    func joinScanned() async throws {
        try await scene { scene in
            let (other, machine) = (try await scene.machine("cellar"), try await scene.machine())
            let hand = try await scene.paired(other)
            let row = try await hand.pairs(machine)
            // Somebody else waits too, there and at the same machine.
            _ = try await laptop(scene, other)
            _ = try await laptop(scene, machine)
            let (joiner, qr, _) = try await laptop(scene, machine)
            let drawn = try #require(qrModules(text: qr))
            let scan = ScanModel(hand.live, PictureCamera(.allowed, sees: Frame(Modules(drawn))))
            scan.enter()
            guard case .join(let text, let join) = try await shown("the join", { scan.found }) else {
                throw NotInTime(description: "\(String(describing: scan.found))")
            }
            #expect(join.row == row && join.machine == "homebox")
            let request = RequestModel(hand.live, hand.approver, row: join.row, id: join.id, scanned: text)
            try await shown("open") { if case .open(_, scanned: true, _) = request.screen { true } else { nil } }
            request.letIn(viewer)
            try joiner.type(try await request.digits())
            #expect(try await joiner.exit() == 0)
            let devices = try await hand.app.devices(row: row)
            #expect(devices.first { $0.name == "laptop" }?.role == .viewer)
        }
    }

    @Test("join-number: it is let in with the role that was chosen")
    func joinNumber() async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            let hand = try await scene.paired(machine)
            let (joiner, _, number) = try await laptop(scene, machine)
            let request = try await hand.opens()
            request.letIn(byNumber: " \(number) ", Terms(role: .operator, name: "laptop", hours: nil))
            try joiner.type(try await request.digits())
            #expect(try await joiner.exit() == 0)
            #expect(try await role(hand, "laptop") == .operator)
        }
    }

    @Test("join-wrong-number: a no with a warning; what is no number is not sent")
    func joinWrongNumber() async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            let hand = try await scene.paired(machine)
            let (joiner, _, number) = try await laptop(scene, machine)
            let request = try await hand.opens()
            request.letIn(byNumber: "12", viewer)
            #expect(try await request.hints() == .noNumber)
            #expect(joiner.isRunning)
            request.letIn(byNumber: number.contains("1") ? "000 0000" : "111 1111", viewer)
            let error = try await shown("over") {
                if case .over(.no, _, let error) = request.screen { error } else { nil }
            }
            #expect(error == .NotThatJoin)
            #expect(try await joiner.exit() == 1)
            #expect(try await role(hand, "laptop") == nil)
        }
    }

    @Test("join-digits: stored once they are typed, and not if others are", arguments: [true, false])
    func joinDigits(right: Bool) async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            let hand = try await scene.paired(machine)
            let (joiner, _, number) = try await laptop(scene, machine)
            let request = try await hand.opens()
            request.letIn(byNumber: number, viewer)
            let digits = try await request.digits()
            _ = try await joiner.line("\"let_in\"")
            #expect(try await role(hand, "laptop") == nil, "nothing is stored before the digits")
            try joiner.type(right ? digits : digits == "0000" ? "0001" : "0000")
            #expect(try await (joiner.exit() == 0) == right)
            #expect(try await role(hand, "laptop") == (right ? .viewer : nil))
        }
    }

    @Test("join-not-ours: the scanner says so, and goes on looking")
    func joinNotOurs() async throws {
        try await scene { scene in
            let (machine, hand) = (try await scene.machine(), try await scene.hand())
            let (_, qr, _) = try await laptop(scene, machine)
            let camera = PictureCamera(.allowed, sees: Frame(Modules(try #require(qrModules(text: qr)))))
            let scan = ScanModel(hand.live, camera)
            scan.enter()
            try await shown("not our machine") { scan.problem == .NotOurMachine ? true : nil }
            #expect(camera.isOpen && scan.found == nil)
        }
    }

    @Test("ask-to-join: a QR and a number, then the owner's digits, and the owner's role")
    func askToJoin() async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            let owner = try await scene.paired(machine, "Ben's phone")
            let hand = try await scene.hand()
            let join = JoinModel(hand.live)
            join.ask(" \(machine.address) ")
            let asked = try await shown("waiting") {
                if case .waiting(let asked, let qr, _) = join.screen { qr == nil ? nil : asked } else { nil }
            }
            #expect(try await asked.fingerprint == machine.fingerprint())
            let request = try await owner.opens()
            request.letIn(byNumber: try #require(asked.number), Terms(role: .operator, name: nil, hours: nil))
            let digits = try await request.digits()
            let grant = try await shown("the owner's yes") {
                if case .digits(let grant, _) = join.screen { grant } else { nil }
            }
            #expect(grant.role == .operator && grant.name == "homebox")
            join.type(" \(digits) ")
            try await shown("paired, not \(join.screen)") { if case .done = join.screen { true } else { nil } }
            try await hand.online()
            #expect(hand.machine()?.role == .operator)
        }
    }

    @Test("ask-to-join-denied: nobody let it in, and nothing is paired", arguments: [true, false])
    func askToJoinDenied(byANo: Bool) async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            let owner = try await scene.paired(machine, "Ben's phone")
            let hand = try await scene.hand()
            let join = JoinModel(hand.live)
            join.ask(machine.address)
            let number = try await shown("waiting") {
                if case .waiting(let asked, _, _) = join.screen { asked.number } else { nil }
            }
            let request = try await owner.opens()
            if byANo {
                request.no()
            } else {
                request.letIn(byNumber: number, Terms(role: .operator, name: nil, hours: nil))
                let digits = try await request.digits()
                try await shown("the owner's yes") { if case .digits = join.screen { true } else { nil } }
                join.type(digits == "0000" ? "0001" : "0000")
            }
            let problem = try await shown("a refusal, not \(join.screen)") {
                if case .typing(let problem?) = join.screen { problem } else { nil }
            }
            #expect(problem == .JoinRefused)
            #expect(hand.live.state.machines.isEmpty)
            #expect(try await machine.devices() == ["Ben's phone"])
        }
    }
}
