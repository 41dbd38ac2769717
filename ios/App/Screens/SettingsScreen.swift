import Pairpin
import PairpinKit
import SwiftUI

/// This phone's name, what guards its approvals, and diagnostics without secrets.
struct SettingsScreenView: View {
    @State var model: SettingsModel
    @State private var name = ""

    var body: some View {
        Form {
            Section(footer: Text(words[.settingsNameExplained])) {
                TextField(words[.settingsName], text: $name).onSubmit { model.rename(name) }
            }
            Section(words[.settingsLock]) {
                Text(words[model.screenLock ? .settingsLockOn : .settingsLockOff])
            }
            Section { Text(words[.settingsBackground]) }
            Section(footer: Text(words[.settingsDiagnosticsExplained])) {
                if let told = model.diagnostics {
                    Text(verbatim: told).font(.footnote.monospaced()).textSelection(.enabled)
                    Button(words[.settingsDiagnosticsHide]) { model.diagnostics(show: false) }
                } else {
                    Button(words[.settingsDiagnosticsShow]) { model.diagnostics(show: true) }
                }
            }
            Section(words[.settingsLicences]) { Text(words[.settingsLicencesExplained]) }
            Section { Text(words.say(.settingsVersion, ["version": version()])) }
        }
        .navigationTitle(words[.settings])
        .onAppear {
            name = model.deviceName
            model.enter()
        }
    }
}
