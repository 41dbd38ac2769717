import Pairpin
import PairpinKit
import SwiftUI

/// Every machine, or, while there is none, how to get one.
struct MachinesScreenView: View {
    @State var model: MachinesModel
    @Binding var path: [Place]

    var body: some View {
        content
            .navigationTitle(words[.machines])
            .toolbar {
                Button(words[.settings], systemImage: "gearshape") { path.append(.settings) }
                Button(words[.machinesAdd], systemImage: "qrcode.viewfinder") { path.append(.scan) }
            }
    }

    @ViewBuilder private var content: some View {
        switch model.screen {
        case .empty: empty
        case .listed(let machines, let waiting):
            List {
                if waiting > 0 {
                    Button(words.waiting(waiting)) { path.append(.inbox) }
                }
                ForEach(machines, id: \.row) { machine in
                    NavigationLink(value: Place.machine(machine.row)) { MachineLine(machine: machine) }
                }
                Button(words[.inbox]) { path.append(.inbox) }
            }
        }
    }

    private var empty: some View {
        ContentUnavailableView {
            Label(words[.machinesEmptyTitle], systemImage: "desktopcomputer")
        } description: {
            Text(words[.machinesEmptyServe])
            Text(words[.machinesEmptyCommand]).font(.body.monospaced()).textSelection(.enabled)
            Text(words[.machinesEmptyScan])
        } actions: {
            Button(words[.scan]) { path.append(.scan) }.buttonStyle(.borderedProminent)
        }
    }
}

/// One machine in the list.
struct MachineLine: View {
    let machine: MachineView

    var body: some View {
        VStack(alignment: .leading) {
            Text(verbatim: machine.name).font(.headline)
            Text(words.of(machine.condition)).font(.subheadline)
            if let soon = machine.endsSoon {
                Text(words.say(.endsSoon, ["when": words.until(soon)])).font(.footnote).foregroundStyle(.orange)
            }
        }
        .accessibilityElement(children: .combine)
    }
}
