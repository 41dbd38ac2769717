// Scanning, pasting and typing: from what the person brings to what it is. Deep links come in by the same door.
import Foundation
import Observation
import Pairpin

/// The light beside the camera.
public enum Torch: Sendable { case none, off, on }

/// What was brought, and where it leads.
public enum Found: Equatable, Sendable {
    /// An offer of a machine, to be confirmed.
    case offer(link: String)
    /// An address and a code that were typed, to be confirmed.
    case code(address: String, code: String)
    /// A device that asks one of our machines to be let in: its request, to be decided.
    case join(text: String, ScannedJoin)
}

/// Looks until something of use was found.
@MainActor
@Observable
public final class ScanModel {
    /// Whether the camera may be used; pasting and typing work without it.
    public private(set) var access: CameraAccess
    public private(set) var torch: Torch
    /// Why what was seen last is of no use. The camera goes on looking.
    public private(set) var problem: PairpinError?
    /// Set once; the camera has stopped. Go there, and call ``taken()``.
    public private(set) var found: Found?

    private let live: LiveApp
    private let camera: any Camera
    @ObservationIgnored private var looking = false
    @ObservationIgnored private var running = false

    public init(_ live: LiveApp, _ camera: any Camera) {
        self.live = live
        self.camera = camera
        access = camera.access
        torch = camera.hasTorch ? .off : .none
    }

    /// The screen is there, or again: asks for the camera where nobody has yet, else looks.
    public func enter() {
        looking = true
        access = camera.access
        if access == .notAsked { askForCamera() }
        turn()
    }

    /// The screen is gone or covered: nothing is looked at.
    public func leave() {
        looking = false
        turn()
    }

    /// The person taps the button that asks for the camera again.
    public func askForCamera() {
        Task {
            access = await camera.askForAccess()
            turn()
        }
    }

    /// Switches the light.
    public func torch(_ on: Bool) {
        guard torch != .none else { return }
        camera.torch(on)
        torch = on ? .on : .off
    }

    /// A text that was pasted, or brought by a deep link. Nothing is paired by it: the person is asked.
    public func paste(_ text: String) { seen(scanText(text: trimmed(text) ?? "")) }

    /// A link that opened the app; says whether it is one of ours.
    @discardableResult
    public func opened(_ url: URL) -> Bool {
        guard let text = DeepLink.text(of: url) else { return false }
        paste(text)
        return true
    }

    /// The machine's address and the code on its screen, as they were typed.
    public func typed(address: String, code: String) {
        lead(to: .code(address: trimmed(address) ?? "", code: trimmed(code) ?? ""))
    }

    /// What was found is shown elsewhere now.
    public func taken() {
        found = nil
        problem = nil
        turn()
    }

    private func seen(_ scanned: Scanned) {
        // Cameras give many frames of one QR: the first counts.
        guard found == nil else { return }
        switch scanned {
        case .offer(let link): lead(to: .offer(link: link))
        case .unusable(let why): problem = why
        case .join(let text):
            _ = step({ self.problem = $0 }) { [live] in
                self.lead(to: .join(text: text, try await live.app.joinOfScan(text: text)))
            }
        }
    }

    private func lead(to where: Found) {
        guard found == nil else { return }
        found = `where`
        problem = nil
        turn()
    }

    /// The camera runs while somebody looks, it is allowed, and nothing was found yet.
    private func turn() {
        let run = looking && found == nil && access == .allowed
        guard run != running else { return }
        running = run
        if run {
            camera.start { [weak self] in self?.seen($0) }
        } else {
            camera.stop()
        }
        torch = camera.hasTorch ? .off : .none
    }
}
