import Pairpin
import PairpinKit
import SwiftUI

/// This phone asks to be let in: shows its QR and number, then takes the owner's digits.
struct JoinScreenView: View {
    @State var model: JoinModel
    @Binding var path: [Place]
    @State private var address = ""
    @State private var digits = ""

    var body: some View {
        Form { content }
            .navigationTitle(words[.join])
            .secret()
            .onDisappear { model.leave() }
    }

    @ViewBuilder private var content: some View {
        switch model.screen {
        case .typing(let problem):
            if let problem { Section { Problem(text: words.of(problem)) } }
            Section(footer: Text(words[.joinExplained])) {
                TextField(words[.scanAddress], text: $address).textInputAutocapitalization(.never)
                Button(words[.joinAsk]) { model.ask(address) }
            }
        case .working: Working()
        case .waiting(let asked, let qr, let left):
            Section(words[.joinWaiting]) {
                if let qr { QrView(qr: qr, label: .join) }
                if let number = asked.number {
                    LabeledContent(words[.joinNumber]) { Digits(digits: number) }
                }
                Fingerprint(label: .machineKey, text: asked.fingerprint)
                Text(words.say(.inviteLeft, ["left": words.left(left)]))
            }
        case .digits(let grant, let left):
            Section(words.say(.joinDigits, ["name": grant.name, "role": words.of(grant.role)])) {
                TextField(words[.joinDigitsField], text: $digits).keyboardType(.numberPad)
                Button(words[.scanGo]) { model.type(digits) }
                Text(words.say(.inviteLeft, ["left": words.left(left)]))
            }
        case .done(let paired):
            Section(words[.joinDone]) { Text(words.say(.paired, ["name": paired.machine.name])) }
            Button(words[.machines]) { path = [] }
        }
    }
}
