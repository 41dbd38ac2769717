import PairpinKit
import SwiftUI

/// Opening the app's state, and what to do where it cannot be opened.
struct StartScreenView: View {
    let phone: ThisPhone

    var body: some View {
        switch phone.start.screen {
        case .opening: Working(text: .startOpening)
        case .ready(let live): Home(phone: phone, live: live, presence: phone.presence(of: live))
        case .failed(let error, let anew):
            Form {
                Section(words[.startFailed]) { Problem(text: words.of(error)) }
                Button(words[.tryAgain]) { phone.start.again() }
                if anew {
                    Section(footer: Text(words[.startAnewExplained])) {
                        Button(words[.startAnew], role: .destructive) { phone.start.startAnew() }
                    }
                }
            }
        }
    }
}
