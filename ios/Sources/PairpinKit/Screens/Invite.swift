// An offer of one of the machines, made by this phone and shown by it to the next device.
import Observation
import Pairpin

/// What the screen of an invitation shows.
public enum InviteScreen: Equatable, Sendable {
    /// The person chooses a role; `hint` says what the last attempt came to.
    case choosing(Hint? = nil)
    /// The person decides in the prompt, or the machine makes the offer.
    case working
    /// To be shown to the next device. Secrets, until it is used or over.
    case shown(Invitation, secondsLeft: UInt64)
    /// A device has used it: its check digits have to be the ones on its own screen.
    case arrived(Arrival)
    /// Nobody came in time.
    case expired
}

/// An offer to show.
public struct Invitation: Equatable, Sendable {
    public let number: UInt32
    public let link: String?
    public let qr: QrModules?
    public let code: String?
    public let role: RoleName
}

/// The device that used an offer.
public struct Arrival: Equatable, Sendable {
    public let name: String
    public let role: RoleName
    public let digits: String?

    public init(name: String, role: RoleName, digits: String?) {
        self.name = name
        self.role = role
        self.digits = digits
    }
}

/// One invitation to the machine of `row`.
@MainActor
@Observable
public final class InviteModel {
    /// What to show now.
    public private(set) var screen: InviteScreen = .choosing()

    private let live: LiveApp
    private let approver: Approver
    private let row: Int64
    @ObservationIgnored private var clock: Task<Void, Never>?
    @ObservationIgnored private var heard: UInt64 = 0

    public init(_ live: LiveApp, _ approver: Approver, row: Int64) {
        self.live = live
        self.approver = approver
        self.row = row
        live.follow(self) { model, state in model.arrived(state) }
    }

    deinit { clock?.cancel() }

    /// The person taps Invite.
    public func invite(_ role: RoleName, name: String? = nil, seconds: UInt64? = nil) {
        guard case .choosing = screen else { return }
        screen = .working
        // A machine that was started again counts its offers from one: only what comes from now on is of this one.
        heard = live.state.news.last?.number ?? 0
        _ = step({ self.screen = .choosing(.failed($0)) }) { [approver, row] in
            let approval = try await approver.approve(row: row, .invite) {
                try await $0.prepareInvite(row: row, role: role, name: trimmed(name), seconds: seconds)
            }
            switch approval {
            case .given(let done): self.show(done, role)
            case .not(let hint): self.screen = .choosing(hint)
            }
        }
    }

    /// Another one, after this is over.
    public func another() {
        clock?.cancel()
        screen = .choosing()
    }

    private func show(_ done: Done, _ role: RoleName) {
        guard case .invited(let number, let link, let code, let seconds) = done else { return another() }
        let qr = link.flatMap { qrModules(text: $0) }
        screen = .shown(Invitation(number: number, link: link, qr: qr, code: code, role: role), secondsLeft: seconds)
        arrived(live.state)
        clock = Task { [weak self] in
            try? await countDown(seconds) { left in
                if case .shown(let offer, _) = self?.screen {
                    self?.screen = left == 0 ? .expired : .shown(offer, secondsLeft: left)
                }
            }
        }
    }

    private func arrived(_ state: ScreenState) {
        guard case .shown(let offer, _) = screen else { return }
        for told in state.news.reversed() where told.row == row && told.number > heard {
            if case .deviceAdded(let name, let role, _, _, offer.number, let digits) = told.news {
                clock?.cancel()
                screen = .arrived(Arrival(name: name, role: role, digits: digits))
                return
            }
        }
    }
}
