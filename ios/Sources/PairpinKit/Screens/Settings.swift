// The settings: this phone's name, what guards its approvals, whether it stays connected, and what a report may hold.
import Observation
import Pairpin

/// What the person has chosen on this phone. Kept by the app, out of backups.
@MainActor
public protocol Preferences: AnyObject {
    /// The name that this phone gives itself where it pairs. Set to a blank one, it is the phone's own.
    var deviceName: String { get set }

    /// Whether the connections are kept while nobody looks. Off until the person says so.
    var stayConnected: Bool { get set }
}

/// The settings.
@MainActor
@Observable
public final class SettingsModel {
    public private(set) var deviceName: String
    public private(set) var stayConnected: Bool
    /// Whether the phone has a screen lock: without, nobody can approve with it.
    public private(set) var screenLock: Bool
    /// What may be shown to somebody who helps: no secrets.
    public private(set) var diagnostics: String?

    private let live: LiveApp
    private let keys: any ApprovalKeys
    private let preferences: any Preferences
    private let presence: Presence

    public init(_ live: LiveApp, _ keys: any ApprovalKeys, _ preferences: any Preferences, _ presence: Presence) {
        self.live = live
        self.keys = keys
        self.preferences = preferences
        self.presence = presence
        deviceName = preferences.deviceName
        stayConnected = preferences.stayConnected
        screenLock = keys.hasScreenLock()
    }

    /// The screen is there again: the person may have been in the phone's settings.
    public func enter() { screenLock = keys.hasScreenLock() }

    /// The next pairing gives this name; a blank one is the phone's own again.
    public func rename(_ name: String) {
        preferences.deviceName = trimmed(name) ?? ""
        deviceName = preferences.deviceName
        live.app.setDeviceName(name: deviceName)
    }

    /// Keeps the connections, or lets them end with the screen.
    public func stayConnected(_ on: Bool) {
        preferences.stayConnected = on
        stayConnected = on
        presence.stay(on)
    }

    /// Shows the diagnostics, or puts them away.
    public func diagnostics(show: Bool) { diagnostics = show ? live.app.diagnostics() : nil }
}
