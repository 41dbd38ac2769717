// Opening the app's state, and what to do where it cannot be opened.
import Observation
import Pairpin

/// What the start shows.
public enum StartScreen {
    /// It is opened.
    case opening
    /// It is open: the machines are shown.
    case ready(LiveApp)
    /// It cannot be opened; `anew` says whether starting anew is a way on.
    case failed(PairpinError, anew: Bool)
}

/// Opens the app by `open`; `moveAside` puts a damaged state aside.
@MainActor
@Observable
public final class StartModel {
    /// What to show now.
    public private(set) var screen: StartScreen = .opening

    private let open: @Sendable () async throws -> PairpinApp
    private let moveAside: @Sendable () async throws -> Void

    public init(
        open: @escaping @Sendable () async throws -> PairpinApp, moveAside: @escaping @Sendable () async throws -> Void
    ) {
        self.open = open
        self.moveAside = moveAside
        opening(anew: false)
    }

    /// Tries again, as after a key store was locked.
    public func again() {
        if case .failed = screen { opening(anew: false) }
    }

    /// The person lets the damaged state be put aside: every machine is paired again.
    public func startAnew() {
        if case .failed(_, anew: true) = screen { opening(anew: true) }
    }

    private func opening(anew: Bool) {
        screen = .opening
        _ = step({ self.screen = .failed($0, anew: isDamaged($0)) }) { [open, moveAside] in
            if anew { try await moveAside() }
            self.screen = .ready(LiveApp(try await open()))
        }
    }
}

private func isDamaged(_ error: PairpinError) -> Bool {
    if case .StateDamaged = error { return true }
    return false
}
