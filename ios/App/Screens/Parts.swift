// Parts that several screens have.
import Pairpin
import PairpinKit
import SwiftUI

/// A key fingerprint, to be compared letter by letter.
struct Fingerprint: View {
    let label: TextKey
    let text: String

    var body: some View {
        LabeledContent(words[label]) { Text(verbatim: text).font(.callout.monospaced()).textSelection(.enabled) }
    }
}

/// A QR, dark on light in every theme, with its quiet zone.
struct QrView: View {
    let qr: QrModules
    let label: TextKey

    var body: some View {
        Canvas { context, size in
            let side = Int(qr.side)
            let step = min(size.width, size.height) / CGFloat(side + 8)
            context.fill(Path(CGRect(origin: .zero, size: size)), with: .color(.white))
            for (at, dark) in qr.dark.enumerated() where dark == 1 {
                let (x, y) = (CGFloat(at % side + 4), CGFloat(at / side + 4))
                context.fill(
                    Path(CGRect(x: x * step, y: y * step, width: step + 0.3, height: step + 0.3)),
                    with: .color(.black))
            }
        }
        .aspectRatio(1, contentMode: .fit)
        .frame(maxWidth: 360)
        .accessibilityElement()
        .accessibilityLabel(words[label])
    }
}

/// What went wrong, and the next step.
struct Problem: View {
    let text: String

    var body: some View {
        Label(text, systemImage: "exclamationmark.triangle").foregroundStyle(.red)
    }
}

/// Digits to be compared or typed, read out one by one.
struct Digits: View {
    let digits: String

    var body: some View {
        Text(verbatim: digits)
            .font(.largeTitle.monospacedDigit().bold())
            .speechSpellsOutCharacters()
    }
}

/// Something is asked or told.
struct Working: View {
    var text: TextKey = .working

    var body: some View { ProgressView(words[text]).frame(maxWidth: .infinity) }
}

/// Chooses a role, the approver's own at most: the machine sees to that.
struct RolePicker: View {
    let label: TextKey
    @Binding var role: RoleName

    var body: some View {
        Picker(words[label], selection: $role) {
            ForEach([RoleName.viewer, .operator, .owner], id: \.self) { role in
                Text(verbatim: "\(words.of(role)): \(words.may(role))").tag(role)
            }
        }
        .pickerStyle(.inline)
    }
}

extension View {
    /// Not to be seen in the list of apps.
    func secret() -> some View { modifier(Secret()) }
}

private struct Secret: ViewModifier {
    @Environment(\.scenePhase) private var phase

    func body(content: Content) -> some View {
        content.opacity(phase == .active ? 1 : 0).privacySensitive()
    }
}
