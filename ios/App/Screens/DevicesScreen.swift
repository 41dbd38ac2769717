import Pairpin
import PairpinKit
import SwiftUI

/// The devices of a machine, and what an owner decides about them.
struct DevicesScreenView: View {
    @State var model: DevicesModel
    @State private var revoking: DeviceView?
    @State private var changing: DeviceView?
    @State private var reason = ""

    var body: some View {
        List { content }
            .navigationTitle(words[.actionDevices])
            .refreshable { await model.refresh() }
            .alert(
                words.say(.deviceRevokeTitle, ["name": revoking?.name ?? ""]), isPresented: present($revoking),
                presenting: revoking
            ) { device in
                TextField(words[.deviceReason], text: $reason)
                Button(words[.deviceRevoke], role: .destructive) { model.revoke(device.id, reason: reason) }
                Button(words[.cancel], role: .cancel) {}
            } message: { _ in
                Text(words[.deviceRevokeExplained])
            }
            .confirmationDialog(words[.deviceSetRole], isPresented: present($changing), presenting: changing) {
                device in
                ForEach([RoleName.viewer, .operator, .owner], id: \.self) { role in
                    Button(words.of(role)) { model.setRole(device.id, role) }
                }
            }
    }

    @ViewBuilder private var content: some View {
        switch model.screen {
        case .loading: Working()
        case .listed(let devices, let working, let hint):
            if let hint { Button(words.of(hint)) { model.understood() } }
            ForEach(devices, id: \.id) { device in line(device, working) }
        case .failed(let error, let again):
            Problem(text: words.of(error))
            if again { Button(words[.tryAgain]) { model.refresh() } }
        }
    }

    private func line(_ device: DeviceView, _ working: String?) -> some View {
        DisclosureGroup {
            ForEach(device.actions, id: \.action) { possible in
                Button(words.of(possible.action)) { act(possible.action, device) }
                    .disabled(possible.whyNot != nil || working != nil)
                if let why = possible.whyNot { Text(words.of(why)).font(.footnote) }
            }
        } label: {
            VStack(alignment: .leading) {
                Text(verbatim: device.name).font(.headline)
                Text(words.of(device)).font(.subheadline)
                if working == device.id { Working() }
            }
        }
    }

    private func act(_ action: DeviceAction, _ device: DeviceView) {
        switch action {
        case .revoke:
            reason = ""
            revoking = device
        case .setRole: changing = device
        case .lift: model.lift(device.id)
        case .forgetKey: model.forgetKey(device.id)
        }
    }

    private func present(_ device: Binding<DeviceView?>) -> Binding<Bool> {
        Binding(get: { device.wrappedValue != nil }, set: { if !$0 { device.wrappedValue = nil } })
    }
}
