import Pairpin
import PairpinKit
import SwiftUI

/// The question before a pairing, and what came of the yes.
struct ConfirmScreenView: View {
    @State var model: PairingModel
    @Binding var path: [Place]
    let begin: (PairingModel) -> Void

    var body: some View {
        Form { content }
            .navigationTitle(words[.confirmPair])
            .secret()
            .onAppear { begin(model) }
            .onDisappear { model.leave() }
    }

    @ViewBuilder private var content: some View {
        switch model.screen {
        case .looking, .asking: Working(text: .confirmAsking)
        case .confirming(let preview): question(preview)
        case .working: Working(text: .pairing)
        case .done(let paired): done(paired)
        case .failed(let error, let again):
            Section(words[.pairingFailed]) { Problem(text: words.of(error)) }
            if again { Button(words[.tryAgain]) { model.again() } }
            Button(words[.back]) { path.removeLast() }
        }
    }

    @ViewBuilder private func question(_ preview: PairPreview) -> some View {
        Section { Text(words.of(preview)).font(.headline) }
        Section(footer: Text(words[.confirmCompare])) {
            Fingerprint(label: .machineKey, text: preview.fingerprint)
            if case .replaceKey(_, let old) = preview.question { Fingerprint(label: .confirmOldKey, text: old) }
            LabeledContent(words[.machinePlatform], value: preview.platform)
            LabeledContent(words[.machineAddress], value: "\(preview.address), \(words.of(preview.kind))")
            Text(words.say(.confirmRole, ["role": words.of(preview.role), "may": words.may(preview.role)]))
        }
        Section {
            switch preview.question {
            case .replaceKey:
                Button(words[.confirmReplace], role: .destructive) { model.confirm() }
            default: Button(words[.confirmPair]) { model.confirm() }
            }
            Button(words[.confirmNo], role: .cancel) { path.removeLast() }
        }
    }

    @ViewBuilder private func done(_ paired: Paired) -> some View {
        Section {
            Text(words.say(.paired, ["name": paired.machine.name])).font(.headline)
            if let by = paired.revokedBeforeBy { Text(words.say(.pairedRevokedBefore, ["by": by])) }
        }
        if let digits = paired.digits {
            Section(words[.pairedDigits]) {
                Digits(digits: digits)
                Text(words[.pairedDigitsExplained])
            }
        }
        Button(words[.machines]) { path = [] }
    }
}
