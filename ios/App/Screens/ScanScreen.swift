import PairpinKit
import SwiftUI

/// The scanner; pasting and typing lead on too.
struct ScanScreenView: View {
    let phone: ThisPhone
    @State var model: ScanModel
    @Binding var path: [Place]
    @State private var address = ""
    @State private var code = ""

    var body: some View {
        Form {
            Section {
                camera
                if let problem = model.problem { Problem(text: words.of(problem)) }
            }
            Section {
                PasteButton(payloadType: String.self) { texts in texts.first.map(model.paste) }
            }
            Section(words[.scanType]) {
                TextField(words[.scanAddress], text: $address).textInputAutocapitalization(.never)
                TextField(words[.scanCode], text: $code).keyboardType(.numberPad)
                Button(words[.scanGo]) { model.typed(address: address, code: code) }
            }
            Section { Button(words[.scanJoin]) { path.append(.join) } }
        }
        .autocorrectionDisabled()
        .navigationTitle(words[.scan])
        .onAppear { model.enter() }
        .onDisappear { model.leave() }
        .onChange(of: phone.link, initial: true) { take($1) }
        .onChange(of: model.found) { lead($1) }
    }

    @ViewBuilder private var camera: some View {
        if let text = words.of(model.access) {
            Text(text)
            switch model.access {
            case .refused, .notAsked: Button(words[.cameraAllow]) { model.askForCamera() }
            case .refusedForGood:
                Button(words[.cameraSettings]) {
                    URL(string: UIApplication.openSettingsURLString).map { UIApplication.shared.open($0) }
                }
            default: EmptyView()
            }
        } else {
            CameraPreview(session: phone.camera.session)
                .aspectRatio(1, contentMode: .fit)
                .accessibilityLabel(words[.scanHint])
            Text(words[.scanHint])
            switch model.torch {
            case .none: EmptyView()
            case .off: Button(words[.scanTorchOn]) { model.torch(true) }
            case .on: Button(words[.scanTorchOff]) { model.torch(false) }
            }
        }
    }

    private func take(_ link: URL?) {
        guard let link else { return }
        phone.link = nil
        model.opened(link)
    }

    private func lead(_ found: Found?) {
        guard let found else { return }
        // The camera stops first: what is still before it is not to be found again.
        model.leave()
        model.taken()
        switch found {
        case .offer(let link): path.append(.confirm(link: link))
        case .code(let address, let code): path.append(.code(address: address, code: code))
        case .join(let text, let join): path.append(.request(row: join.row, id: join.id, scanned: text))
        }
    }
}
