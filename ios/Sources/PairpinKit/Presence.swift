// Whether somebody looks at the app, and what that means for its connections.
import Pairpin

/// Told by the platform what happens; keeps the connections while somebody looks, or has chosen to stay connected.
@MainActor
public final class Presence {
    private let app: PairpinApp
    private var looking = true
    private var staying: Bool
    private var kept = true

    public init(_ live: LiveApp, _ preferences: any Preferences) {
        app = live.app
        staying = preferences.stayConnected
    }

    /// The app is on the screen.
    public func shown() {
        guard !looking else { return }
        looking = true
        // Also where the connections were kept: each is looked at, as the phone may have slept.
        kept = true
        app.foreground()
    }

    /// The app has left the screen.
    public func hidden() {
        looking = false
        turn()
    }

    /// The person wants to stay connected, or not any more.
    public func stay(_ on: Bool) {
        staying = on
        turn()
    }

    /// The phone is in another network, or in one again.
    public func networkChanged() { app.networkChanged() }

    private func turn() {
        let keep = looking || staying
        guard keep != kept else { return }
        kept = keep
        if keep { app.foreground() } else { app.background() }
    }
}
