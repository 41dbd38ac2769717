// From a link or a code to a paired machine: looked at, confirmed by the person, paired.
import Observation
import Pairpin

/// Where a pairing is.
public enum PairingScreen: Equatable, Sendable {
    /// Nothing was brought yet.
    case looking
    /// The machine is asked what its offer is for.
    case asking
    /// The person is asked; nothing was used up yet.
    case confirming(PairPreview)
    /// The person said yes.
    case working(PairPreview)
    /// Paired; the digits stand on the machine too.
    case done(Paired)
    /// It did not work; `again` says whether the same step may be tried again.
    case failed(PairpinError, again: Bool)
}

/// One pairing, whether scanned, pasted, typed, or brought by a deep link: it always asks.
@MainActor
@Observable
public final class PairingModel {
    /// What to show now.
    public private(set) var screen: PairingScreen = .looking

    private let live: LiveApp
    @ObservationIgnored private var begin: (@MainActor () async throws -> Pairing)?
    @ObservationIgnored private var offered: Pairing?
    @ObservationIgnored private var running: Task<Void, Never>?

    public init(_ live: LiveApp) { self.live = live }

    /// A link was found. A second one while the first is looked at is ignored, as cameras give many.
    public func found(_ link: String) {
        look { [live] in try await live.app.preview(link: link) }
    }

    /// An address and a code were typed. The code is proven here; the person is asked all the same.
    public func typed(address: String, code: String) {
        look { [live] in try await live.app.beginCode(address: address, code: code) }
    }

    /// The person taps Pair.
    public func confirm() {
        guard let offered, case .confirming = screen else { return }
        pair(offered)
    }

    /// The person taps Try again: the step that failed is done again, where it left off.
    public func again() {
        guard case .failed(_, again: true) = screen else { return }
        if let offered {
            pair(offered)
        } else if let begin {
            ask(begin)
        }
    }

    /// The person says no, or leaves: whatever runs ends, and the next link is looked for.
    public func leave() {
        running?.cancel()
        running = nil
        begin = nil
        offered?.cancel()
        offered = nil
        screen = .looking
    }

    private func look(_ how: @escaping @MainActor () async throws -> Pairing) {
        guard screen == .looking else { return }
        begin = how
        ask(how)
    }

    private func ask(_ how: @escaping @MainActor () async throws -> Pairing) {
        screen = .asking
        running = step({ self.failed($0) }) {
            let pairing = try await kept { try await how() }
            self.offered = pairing
            let preview = pairing.preview()
            self.screen =
                preview.question == .alreadyPaired
                ? .done(try await kept { try await pairing.pair() }) : .confirming(preview)
        }
    }

    private func pair(_ pairing: Pairing) {
        screen = .working(pairing.preview())
        running = step({ self.failed($0) }) {
            self.screen = .done(try await kept { try await pairing.pair() })
        }
    }

    private func failed(_ error: PairpinError) {
        screen = .failed(error, again: againHelps(error: error))
    }
}
