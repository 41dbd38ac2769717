import Pairpin
import PairpinKit
import SwiftUI

/// One request: what is certain, what was seen and what is claimed, apart; and the person's decision.
struct RequestScreenView: View {
    @State var model: RequestModel
    @Binding var path: [Place]
    @State private var role = RoleName.viewer
    @State private var name = ""
    @State private var hours = ""
    @State private var number = ""

    var body: some View {
        Form { content }.navigationTitle(words[.inbox]).secret()
    }

    @ViewBuilder private var content: some View {
        switch model.screen {
        case .looking: Working(text: .requestLooking)
        case .open(let item, let scanned, let hint):
            if let hint { Section { Problem(text: words.of(hint)) } }
            facts(item.request)
            decision(item, scanned)
        case .working(let item, _):
            facts(item.request)
            Working()
        case .over(let how, let item, let error):
            Section(words[.requestOver]) {
                if let item { Text(words.of(item)) }
                Text(words.of(how)).font(.headline)
                if let error { Problem(text: words.of(error)) }
            }
        case .showDigits(let digits, let name):
            Section(words.say(.requestDigits, ["name": name])) {
                Digits(digits: digits)
                Text(words[.requestDigitsExplained])
            }
        }
    }

    @ViewBuilder private func facts(_ request: Request) -> some View {
        switch request {
        case .ask(let known, let observed, let claimed):
            Section(words[.requestClaimed]) {
                Text(verbatim: claimed.text).font(.headline)
                if let detail = claimed.detail { Text(verbatim: detail).font(.callout.monospaced()) }
            }
            Section(words[.requestObserved]) { AskObserved(facts: observed) }
            Section(words[.requestKnown]) { AskKnown(facts: known) }
        case .join(let name, let platform, let from, let network, let same, _, let revokedBy):
            Section(words[.requestJoinTitle]) {
                LabeledContent(words[.requestClaimsName], value: name)
                LabeledContent(words[.requestClaimsPlatform], value: platform)
                LabeledContent(words[.requestFrom], value: "\(from), \(words.of(network))")
                Text(words[same ? .requestSameNetwork : .requestOtherNetwork])
                if let revokedBy { Problem(text: words.say(.requestRevokedBy, ["by": revokedBy])) }
            }
        }
    }

    @ViewBuilder private func decision(_ item: InboxItem, _ scanned: Bool) -> some View {
        if let why = item.whyNot { Section { Text(words.of(why)) } }
        switch item.request {
        case .ask:
            Section {
                Button(words[.requestYes]) { model.yes() }.disabled(item.whyNot != nil)
                Button(words[.requestNo], role: .destructive) { model.no() }
            }
        case .join(_, _, _, _, _, let byNumber, _):
            Section {
                RolePicker(label: .requestRole, role: $role)
                TextField(words[.requestName], text: $name)
                TextField(words[.requestHours], text: $hours).keyboardType(.numberPad)
            }
            Section { letIn(item, scanned, byNumber) }
            Section {
                Button(words[.requestNo], role: .destructive) { model.no() }
                Button(words[.requestNoBlock], role: .destructive) { model.no(.blockSource) }
                Button(words[.requestNoClose], role: .destructive) { model.no(.closeJoining) }
            }
        }
    }

    @ViewBuilder private func letIn(_ item: InboxItem, _ scanned: Bool, _ byNumber: Bool) -> some View {
        if scanned {
            Button(words[.requestLetIn]) { model.letIn(terms) }.disabled(item.whyNot != nil)
        } else {
            Button(words[.requestScanIt]) { path.append(.scan) }
            if byNumber {
                TextField(words[.requestNumber], text: $number).keyboardType(.numberPad)
                Text(words[.requestNumberOnce]).font(.footnote)
                Button(words[.requestLetIn]) { model.letIn(byNumber: number, terms) }.disabled(item.whyNot != nil)
            }
        }
    }

    private var terms: Terms {
        Terms(role: role, name: name.isEmpty ? nil : name, hours: UInt32(hours))
    }
}

/// What the machine saw of the process.
private struct AskObserved: View {
    let facts: ObservedFacts

    var body: some View {
        LabeledContent(words[.requestProgram], value: facts.executable ?? words[.requestProgramHidden])
        LabeledContent(words[.requestArguments]) {
            VStack(alignment: .leading) {
                ForEach(Array(facts.arguments.enumerated()), id: \.offset) { Text(verbatim: $0.element) }
                if facts.argumentsLeftOut > 0 {
                    Text(words.say(.requestArgumentsMore, ["count": String(facts.argumentsLeftOut)]))
                }
            }
        }
        if let directory = facts.directory { LabeledContent(words[.requestDirectory], value: directory) }
    }
}

/// What nobody can choose.
private struct AskKnown: View {
    let facts: KnownFacts

    var body: some View {
        if let user = facts.user { LabeledContent(words[.requestUser], value: user) }
        LabeledContent(words[.requestUserId], value: String(facts.uid))
        if let process = facts.process { LabeledContent(words[.requestProcess], value: String(process)) }
    }
}
