// What the tests of behaviours share: machines and phones that end with the test, and waiting for what is shown.
import Foundation
import Observation
import Pairpin
import PairpinKit

/// Runs a test's body on a scene of its own. A few at a time: each has machines of its own.
@MainActor
func scene(_ body: @MainActor (Scene) async throws -> Void) async throws {
    await Turns.take()
    defer { Turns.give() }
    let scene = Scene()
    defer { scene.end() }
    try await body(scene)
}

/// The machines, phones and commands of one test.
@MainActor
final class Scene {
    private var ending: [@MainActor () -> Void] = []

    /// A machine that runs.
    func machine(_ name: String = "homebox", port: UInt16? = nil, clock: String? = nil) async throws -> Machine {
        let machine = try Machine(name, port: port, clock: clock)
        ending.append(machine.end)
        try await machine.start()
        return machine
    }

    /// A phone with the app open on it.
    func hand(_ name: String = "Ana's phone") async throws -> Hand { try await hand(Phone(name)) }

    /// The app opened on that phone.
    func hand(_ phone: Phone) async throws -> Hand {
        ending.append(phone.end)
        let hand = Hand(phone, LiveApp(try await phone.open()))
        ending.append(hand.live.end)
        return hand
    }

    /// A phone that is paired with `machine` and connected.
    func paired(_ machine: Machine, _ name: String = "Ana's phone", role: String = "owner") async throws -> Hand {
        let hand = try await hand(name)
        try await hand.pairs(machine, role: role)
        return hand
    }

    /// Something asked at the machine's shell.
    func asks(_ machine: Machine, _ text: String, _ more: String...) throws -> Running {
        ends(try machine.starts(["ask", text] + (more.isEmpty ? ["--timeout", "60s"] : more)))
    }

    /// A laptop without an offer that asks to be let in.
    func joiner(_ machine: Machine) throws -> Running { ends(try machine.joiner()) }

    /// Ends it with the test.
    func ends(_ running: Running) -> Running {
        ending.append(running.kill)
        return running
    }

    func end() {
        for over in ending.reversed() { over() }
    }
}

/// A phone in somebody's hand: the app, its approval keys, and what the app shows.
@MainActor
final class Hand {
    let phone: Phone
    let live: LiveApp
    let keys = MemoryApprovalKeys()
    let approver: Approver
    let preferences = MemoryPreferences()
    lazy var presence = Presence(live, preferences)

    init(_ phone: Phone, _ live: LiveApp) {
        self.phone = phone
        self.live = live
        approver = Approver(live, keys)
    }

    var app: PairpinApp { live.app }

    /// Pairs with a machine and waits for the connection; gives its row.
    @discardableResult
    func pairs(_ machine: Machine, role: String = "owner") async throws -> Int64 {
        let row = try await app.preview(link: machine.offer("--role", role)).pair().machine.row
        try await online(row)
        return row
    }

    /// The only machine's row.
    var row: Int64 { live.state.machines[0].row }

    /// The machine of that row, or the only one.
    func machine(_ row: Int64? = nil) -> MachineView? {
        live.state.machines.first { row == nil || $0.row == row }
    }

    /// Waits until it is connected.
    func online(_ row: Int64? = nil) async throws {
        try await stands("online", row) { if case .online = $0 { true } else { nil } }
    }

    /// Waits until the machine stands so.
    @discardableResult
    func stands<T>(
        _ what: String, _ row: Int64? = nil, _ look: @escaping @MainActor (MachineCondition) -> T?
    ) async throws -> T {
        try await shown("\(what), not \(String(describing: machine(row)?.condition))") {
            self.machine(row).flatMap { look($0.condition) }
        }
    }

    /// Waits for the one thing that waits in the inbox.
    func waits() async throws -> InboxItem {
        try await shown("one in the inbox") { self.live.state.inbox.count == 1 ? self.live.state.inbox[0] : nil }
    }

    /// The one request that waits, opened.
    func opens() async throws -> RequestModel {
        let item = try await waits()
        return RequestModel(live, approver, row: item.row, id: item.id)
    }

    /// Has the machine know this phone's approval key: an ask is for those that may answer.
    func mayAnswer(_ row: Int64? = nil) async throws {
        let row = row ?? self.row
        let label = try await app.approvalLabel(row: row)
        guard case .key(let point) = keys.create(label: label) else { throw NotInTime(description: "no key") }
        let enrol = try await app.prepareEnrol(row: row, key: point)
        guard case .signed(let signature) = await keys.sign(label: label, message: enrol.toSign(), why: .bringKey)
        else { throw NotInTime(description: "no signature") }
        _ = try await enrol.submit(signature: signature)
        keys.prompts = []
    }

    /// A pairing by a link that was found.
    func pairing(_ link: String) -> PairingModel {
        let pairing = PairingModel(live)
        pairing.found(link)
        return pairing
    }
}

/// Waits until `look` finds what it looks for in what models show, with a deadline.
@MainActor
@discardableResult
func shown<T>(_ what: String, seconds: Double = deadlineSeconds, _ look: @MainActor () -> T?) async throws -> T {
    let end = ContinuousClock.now + .seconds(seconds)
    while true {
        let change = Change()
        if let found = withObservationTracking(look, onChange: { change.happen(true) }) { return found }
        guard await change.happens(before: end) else { throw NotInTime(description: "not in time: \(what)") }
    }
}

/// Something that happens once, or not in time.
private final class Change: @unchecked Sendable {
    private let lock = NSLock()
    private var happened: Bool?
    private var waiting: CheckedContinuation<Bool, Never>?

    func happen(_ well: Bool) {
        let woken = lock.withLock {
            if happened == nil { happened = well }
            defer { waiting = nil }
            return waiting
        }
        woken?.resume(returning: well)
    }

    func happens(before end: ContinuousClock.Instant) async -> Bool {
        let clock = Task {
            try? await Task.sleep(until: end, clock: .continuous)
            happen(false)
        }
        defer { clock.cancel() }
        return await withCheckedContinuation { continuation in
            let already = lock.withLock {
                if happened == nil { waiting = continuation }
                return happened
            }
            if let already { continuation.resume(returning: already) }
        }
    }
}

/// Few scenes at a time.
@MainActor
private enum Turns {
    private static var left = 4
    private static var waiting: [CheckedContinuation<Void, Never>] = []

    static func take() async {
        if left > 0 {
            left -= 1
        } else {
            await withCheckedContinuation { waiting.append($0) }
        }
    }

    static func give() {
        if waiting.isEmpty {
            left += 1
        } else {
            waiting.removeFirst().resume()
        }
    }
}
