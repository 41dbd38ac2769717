// The devices of a machine, as an owner's phone sees them, and what it decides about them.
import Observation
import Pairpin

/// What the screen of devices shows.
public enum DevicesScreen: Equatable, Sendable {
    /// The machine is asked.
    case loading
    /// The devices, each with what may be done and why not; `working` on that one, `hint` from the last attempt.
    case listed([DeviceView], working: String? = nil, hint: Hint? = nil)
    /// The machine could not be asked.
    case failed(PairpinError, again: Bool)
}

/// The devices of the machine of `row`.
@MainActor
@Observable
public final class DevicesModel {
    /// What to show now.
    public private(set) var screen: DevicesScreen = .loading

    private let live: LiveApp
    private let approver: Approver
    private let row: Int64
    @ObservationIgnored private var told: Told?

    public init(_ live: LiveApp, _ approver: Approver, row: Int64) {
        self.live = live
        self.approver = approver
        self.row = row
        live.follow(self) { model, state in model.changed(state) }
    }

    /// Asks the machine again.
    public func refresh() {
        _ = step({ self.screen = .failed($0, again: againHelps(error: $0)) }) { try await self.load() }
    }

    /// Takes a device's access away; it is told the reason.
    public func revoke(_ device: String, reason: String?) {
        decide(device, .revoke) { [row] in
            try await $0.prepareRevoke(row: row, device: device, reason: trimmed(reason))
        }
    }

    /// Gives a device another role.
    public func setRole(_ device: String, _ role: RoleName) {
        decide(device, .change) { [row] in try await $0.prepareRole(row: row, device: device, role: role) }
    }

    /// Lets a suspended device connect again.
    public func lift(_ device: String) {
        decide(device, .change) { [row] in try await $0.prepareLift(row: row, device: device) }
    }

    /// Lets a device that lost its approval key bring another.
    public func forgetKey(_ device: String) {
        decide(device, .change) { [row] in try await $0.prepareForgetKey(row: row, device: device) }
    }

    /// The hint was read.
    public func understood() {
        if case .listed(let devices, let working, _) = screen { screen = .listed(devices, working: working) }
    }

    // The machine says that devices came, went or changed, or is connected again.
    private func changed(_ state: ScreenState) {
        let machine = state.machine(row)
        let news = state.news.last { $0.row == row }
        let now = Told(condition: machine?.condition, role: machine?.role, news: news?.number)
        guard now != told else { return }
        told = now
        refresh()
    }

    private func load() async throws {
        let devices = try await live.app.devices(row: row)
        if case .listed(_, let working, let hint) = screen {
            screen = .listed(devices, working: working, hint: hint)
        } else {
            screen = .listed(devices)
        }
    }

    private func decide(
        _ device: String, _ prompt: Prompt, _ prepare: @escaping @MainActor (PairpinApp) async throws -> Decision
    ) {
        guard case .listed(let devices, nil, _) = screen else { return }
        screen = .listed(devices, working: device)
        _ = step({ self.over(.failed($0)) }) { [approver, row] in
            switch try await approver.approve(row: row, prompt, prepare) {
            case .given:
                try await self.load()
                self.over(nil)
            case .not(let hint): self.over(hint)
            }
        }
    }

    private func over(_ hint: Hint?) {
        if case .listed(let devices, _, _) = screen { screen = .listed(devices, hint: hint) }
    }

    private struct Told: Equatable {
        let condition: MachineCondition?
        let role: RoleName?
        let news: UInt64?
    }
}
