import Pairpin
import PairpinKit
import SwiftUI

/// One machine: how it stands, what may be done with it, and why something may not.
struct MachineScreenView: View {
    @State var model: MachineModel
    @Binding var path: [Place]
    @State private var name = ""

    var body: some View {
        switch model.screen {
        case .shown(let machine, let step, let problem): shown(machine, step, problem)
        case .over(let forgotten): ContentUnavailableView(words.of(forgotten), systemImage: "checkmark.circle")
        case .gone: ContentUnavailableView(words[.machineGone], systemImage: "questionmark.circle")
        }
    }

    private func shown(_ machine: MachineView, _ step: MachineStep, _ problem: PairpinError?) -> some View {
        Form {
            Section {
                MachineLine(machine: machine)
                if let more = words.more(machine.condition) { Text(verbatim: more) }
                if let problem { Problem(text: words.of(problem)) }
            }
            Section {
                ForEach(machine.actions, id: \.action) { possible in
                    Button(words.of(possible.action)) { act(possible.action, machine) }
                        .disabled(possible.whyNot != nil || step == .working)
                    if let why = possible.whyNot { Text(words.of(why)).font(.footnote) }
                }
            }
            Section { facts(machine) }
        }
        .navigationTitle(machine.name)
        .alert(words[.renameTitle], isPresented: showing(step == .renaming)) {
            TextField(words[.renameTitle], text: $name)
            Button(words[.save]) { model.rename(to: name) }
            Button(words[.cancel], role: .cancel) { model.back() }
        }
        .confirmationDialog(
            words.say(.forgetTitle, ["name": machine.name]), isPresented: showing(step == .askedToForget),
            titleVisibility: .visible
        ) {
            Button(words[.actionForget], role: .destructive) { model.forgetForSure() }
            Button(words[.cancel], role: .cancel) { model.back() }
        } message: {
            Text(words[.forgetExplained])
        }
    }

    @ViewBuilder private func facts(_ machine: MachineView) -> some View {
        LabeledContent(words[.machineOwnName], value: machine.machineName)
        LabeledContent(words[.machinePlatform], value: machine.platform)
        LabeledContent(words[.machineYourRole], value: words.of(machine.role))
        LabeledContent(words[.machineListsYouAs], value: machine.deviceName)
        LabeledContent(words[.machineKeys], value: words.of(machine.keys))
        Fingerprint(label: .machineKey, text: machine.fingerprint)
        if let at = machine.pairedAt { LabeledContent(words[.machinePairedAt], value: words.moment(at)) }
        if let at = machine.lastOnline { LabeledContent(words[.machineLastOnline], value: words.ago(at)) }
        if let at = machine.expiresAt { LabeledContent(words[.machineSessionEnds], value: words.moment(at)) }
        if case .online(let address, _) = machine.condition {
            LabeledContent(words[.machineAddress], value: address)
        }
        NavigationLink(words[.hardStop], value: Place.hardStop(machine.row)).hidden(unless: machine.condition)
    }

    private func act(_ action: ActionView, _ machine: MachineView) {
        switch action {
        case .rename:
            name = machine.name
            model.rename()
        case .forget: model.forget()
        case .scanAgain: path.append(.scan)
        case .answer: path.append(.inbox)
        case .devices: path.append(.devices(machine.row))
        case .decide: path.append(.invite(machine.row))
        }
    }

    private func showing(_ now: Bool) -> Binding<Bool> {
        Binding(get: { now }, set: { if !$0 && now { model.back() } })
    }
}

extension View {
    /// Shown where the machine's key has to be looked at.
    @ViewBuilder fileprivate func hidden(unless condition: MachineCondition) -> some View {
        switch condition {
        case .keyChanged, .keyCopied: self
        default: EmptyView()
        }
    }
}
