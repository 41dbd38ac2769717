// The app: opens the core once, tells it what the phone does, and shows the first screen.
import PairpinKit
import SwiftUI

/// Every text of the app, in the phone's language.
let words = Texts.ofThePhone

@main
struct PairpinPhone: App {
    @State private var phone = ThisPhone()
    @Environment(\.scenePhase) private var phase

    var body: some Scene {
        WindowGroup {
            StartScreenView(phone: phone)
                .onOpenURL { phone.opened($0) }
                .onChange(of: phase) { phone.turned($1) }
        }
    }
}
