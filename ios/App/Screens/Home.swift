import Pairpin
import PairpinKit
import SwiftUI

/// Where a tap leads.
enum Place: Hashable {
    case scan
    case confirm(link: String)
    case code(address: String, code: String)
    case machine(Int64)
    case hardStop(Int64)
    case devices(Int64)
    case invite(Int64)
    case inbox
    case request(row: Int64, id: String, scanned: String?)
    case join
    case settings
}

/// The list of machines, and everything that opens from it.
struct Home: View {
    let phone: ThisPhone
    let live: LiveApp
    let presence: Presence
    @State private var path: [Place] = []

    var body: some View {
        NavigationStack(path: $path) {
            MachinesScreenView(model: MachinesModel(live), path: $path)
                .navigationDestination(for: Place.self) { screen($0) }
        }
        .onChange(of: phone.link, initial: true) { if $1 != nil { scan() } }
    }

    /// A link leads to the scanner's door, which asks. What was open is behind it: digits that are being typed into a
    /// joiner are nowhere else.
    private func scan() {
        if case .confirm = path.last, path.dropLast().last == .scan { path.removeLast() }
        if path.last != .scan { path.append(.scan) }
    }

    @ViewBuilder private func screen(_ place: Place) -> some View {
        let approver = Approver(live, phone.keys)
        switch place {
        case .scan: ScanScreenView(phone: phone, model: ScanModel(live, phone.camera), path: $path)
        case .confirm(let link): ConfirmScreenView(model: PairingModel(live), path: $path) { $0.found(link) }
        case .code(let address, let code):
            ConfirmScreenView(model: PairingModel(live), path: $path) { $0.typed(address: address, code: code) }
        case .machine(let row): MachineScreenView(model: MachineModel(live, row: row), path: $path)
        case .hardStop(let row): HardStopScreenView(model: HardStopModel(live, row: row), path: $path)
        case .devices(let row): DevicesScreenView(model: DevicesModel(live, approver, row: row))
        case .invite(let row): InviteScreenView(model: InviteModel(live, approver, row: row))
        case .inbox: InboxScreenView(model: InboxModel(live), path: $path)
        case .request(let row, let id, let scanned):
            RequestScreenView(model: RequestModel(live, approver, row: row, id: id, scanned: scanned), path: $path)
        case .join: JoinScreenView(model: JoinModel(live), path: $path)
        case .settings:
            SettingsScreenView(model: SettingsModel(live, phone.keys, phone.preferences, presence))
        }
    }
}
