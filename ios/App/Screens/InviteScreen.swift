import Pairpin
import PairpinKit
import SwiftUI

/// An offer of a machine, shown by this phone to the next device.
struct InviteScreenView: View {
    @State var model: InviteModel
    @State private var role = RoleName.viewer
    @State private var name = ""

    var body: some View {
        Form { content }.navigationTitle(words[.invite]).secret()
    }

    @ViewBuilder private var content: some View {
        switch model.screen {
        case .choosing(let hint):
            if let hint { Section { Problem(text: words.of(hint)) } }
            Section {
                RolePicker(label: .inviteRole, role: $role)
                TextField(words[.inviteName], text: $name)
                Button(words[.inviteMake]) { model.invite(role, name: name) }
            }
        case .working: Working()
        case .shown(let offer, let left):
            Section(footer: Text(words[.inviteSecret])) {
                if let qr = offer.qr {
                    Text(words[.inviteShow])
                    QrView(qr: qr, label: .inviteQrLabel)
                }
                if let code = offer.code {
                    Text(words[.inviteCode])
                    Digits(digits: code)
                }
                Text(words.say(.inviteLeft, ["left": words.left(left)]))
            }
        case .arrived(let device):
            Section {
                Text(words.say(.inviteArrived, ["name": device.name, "role": words.of(device.role)])).font(.headline)
                if let digits = device.digits {
                    Digits(digits: digits)
                    Text(words[.inviteDigits])
                }
            }
        case .expired:
            Text(words[.inviteExpired])
            Button(words[.inviteAnother]) { model.another() }
        }
    }
}
