import Pairpin
import PairpinKit
import SwiftUI

/// A machine whose key is not the one it was known by. No button here believes it.
struct HardStopScreenView: View {
    @State var model: HardStopModel
    @Binding var path: [Place]

    var body: some View {
        Form {
            switch model.screen {
            case .changed(let machine, let seen):
                Section { Problem(text: words.say(.hardStopChanged, ["name": machine.name])) }
                Section(footer: Text(words[.hardStopNext])) {
                    Fingerprint(label: .hardStopKnown, text: machine.fingerprint)
                    Fingerprint(label: .hardStopSeen, text: seen)
                    Button(words[.actionScanAgain]) { path.append(.scan) }
                }
            case .copied(let machine):
                Section { Problem(text: words.say(.hardStopCopied, ["name": machine.name])) }
                Section(footer: Text(words[.hardStopNext])) {
                    Fingerprint(label: .hardStopKnown, text: machine.fingerprint)
                    Button(words[.actionScanAgain]) { path.append(.scan) }
                }
            case .over: Text(words[.hardStopOver])
            }
        }
        .navigationTitle(words[.hardStop])
    }
}
