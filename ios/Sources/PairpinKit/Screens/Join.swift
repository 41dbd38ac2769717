// This phone asks a machine to be let in, by the machine's address: it shows its QR and its number to an owner's
// phone, and types the digits that the owner then sees.
import Observation
import Pairpin

/// What the screen of a phone that asks to be let in shows.
public enum JoinScreen: Equatable, Sendable {
    /// The person types the machine's address; `problem` is what the last attempt came to.
    case typing(PairpinError? = nil)
    /// The machine is asked, or the digits are proven.
    case working
    /// An owner decides: it scans the QR, or types the number.
    case waiting(JoinAsked, QrModules?, secondsLeft: UInt64)
    /// Let in, once the owner's digits are typed here.
    case digits(JoinGrant, secondsLeft: UInt64)
    /// Paired.
    case done(Paired)
}

/// One request of this phone's own.
@MainActor
@Observable
public final class JoinModel {
    /// What to show now.
    public private(set) var screen: JoinScreen = .typing()

    private let live: LiveApp
    @ObservationIgnored private var joining: Joining?
    @ObservationIgnored private var running: Task<Void, Never>?
    @ObservationIgnored private var clock: Task<Void, Never>?

    public init(_ live: LiveApp) { self.live = live }

    deinit { clock?.cancel() }

    /// The address was typed.
    public func ask(_ address: String) {
        guard case .typing = screen else { return }
        screen = .working
        running = step({ self.failed($0) }) { [live] in
            let joining = try await live.app.askToJoin(address: trimmed(address) ?? "")
            if Task.isCancelled { return joining.cancel() }
            self.joining = joining
            let asked = joining.asked()
            self.screen = .waiting(asked, qrModules(text: asked.text), secondsLeft: asked.seconds)
            self.count(asked.seconds)
            let grant = try await kept { try await joining.wait() }
            self.screen = .digits(grant, secondsLeft: grant.seconds)
            self.count(grant.seconds)
        }
    }

    /// The digits that the owner's phone shows were typed. One attempt.
    public func type(_ digits: String) {
        guard let joining, case .digits = screen else { return }
        clock?.cancel()
        screen = .working
        running = step({ self.failed($0) }) {
            self.screen = .done(try await kept { try await joining.typed(digits: trimmed(digits) ?? "") })
        }
    }

    /// The person leaves: the machine is told that nobody asks any more.
    public func leave() {
        end()
        screen = .typing()
    }

    private func count(_ seconds: UInt64) {
        clock?.cancel()
        clock = Task { [weak self] in
            try? await countDown(seconds) { left in
                switch self?.screen {
                case .waiting(let asked, let qr, _): self?.screen = .waiting(asked, qr, secondsLeft: left)
                case .digits(let grant, _): self?.screen = .digits(grant, secondsLeft: left)
                default: break
                }
            }
        }
    }

    private func end() {
        running?.cancel()
        clock?.cancel()
        joining?.cancel()
        joining = nil
    }

    private func failed(_ error: PairpinError) {
        end()
        screen = .typing(error)
    }
}
