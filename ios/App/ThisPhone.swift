// What this phone brings, put together once: its chip, its secrets, its camera, and the app that is opened with them.
import Foundation
import Observation
import Pairpin
import PairpinKit
import SwiftUI

/// The phone's parts, which the screens are given.
@MainActor
@Observable
final class ThisPhone {
    let start: StartModel
    let keys: any ApprovalKeys = EnclaveApprovalKeys()
    let camera = PhoneCamera()
    let preferences = PhonePreferences()
    /// A link that opened the app, until the scanner has taken it.
    var link: URL?

    private let network = NetworkWatch()
    private let notices = PhoneNotices()
    private var parts: (live: LiveApp, presence: Presence, notices: NoticesModel)?

    init() {
        let name = preferences.deviceName
        let platform = "iOS \(UIDevice.current.systemVersion)"
        start = StartModel(
            open: {
                let settings = AppSettings(
                    stateDir: try StateDirectory.path(), deviceName: name, platform: platform)
                let chip = EnclaveChip()
                return try await PairpinApp.open(
                    settings: settings,
                    store: VaultStore(KeychainVault(), isHardware: chip.isHardware, texts: words),
                    signer: ChipSigner(chip, texts: words), log: PhoneLog())
            },
            moveAside: { try startAnew(stateDir: try StateDirectory.path()) })
    }

    /// The core is open: from now on it is told of the network, and the person of what waits.
    func presence(of live: LiveApp) -> Presence {
        if let parts, parts.live === live { return parts.presence }
        let presence = Presence(live, preferences)
        parts = (live, presence, NoticesModel(live, notices))
        network.start { presence.networkChanged() }
        return presence
    }

    /// A link opened the app: it waits for the scanner, which asks.
    func opened(_ url: URL) {
        link = url
    }

    /// The app came to the screen, or left it.
    func turned(_ phase: ScenePhase) {
        switch phase {
        case .active: parts?.presence.shown()
        case .background: parts?.presence.hidden()
        default: break
        }
    }
}
