// One request of the inbox, opened: what it is, the person's decision, and what came of it.
import Foundation
import Observation
import Pairpin

/// What the screen of a request shows.
public enum RequestScreen: Equatable, Sendable {
    /// It was scanned or told by a notification, and the machine has not told of it yet.
    case looking
    /// It waits for the person. `scanned`: the joiner's QR was read, no number is asked; `hint` is what the last
    /// attempt came to.
    case open(InboxItem, scanned: Bool = false, hint: Hint? = nil)
    /// The person decides in the prompt, or the machine is told.
    case working(InboxItem, scanned: Bool = false)
    /// It ended, here or elsewhere; `error` where it ended because of one.
    case over(Ending, InboxItem? = nil, error: PairpinError? = nil)
    /// The joiner is let in once these digits are typed into it.
    case showDigits(String, name: String)
}

/// The request `id` of the machine of `row`, looked at; `scanned` is the joiner's QR.
@MainActor
@Observable
public final class RequestModel {
    /// What to show now.
    public private(set) var screen: RequestScreen = .looking

    private let live: LiveApp
    private let approver: Approver
    private let row: Int64
    private let id: String
    private let scanned: String?

    /// What no machine tells of within `patience` is over.
    public init(
        _ live: LiveApp, _ approver: Approver, row: Int64, id: String, scanned: String? = nil,
        patience: Duration = .seconds(15)
    ) {
        self.live = live
        self.approver = approver
        self.row = row
        self.id = id
        self.scanned = scanned
        live.follow(self) { model, state in model.changed(state) }
        Task { [weak self] in
            try? await Task.sleep(for: patience)
            self?.stopLooking()
        }
    }

    // A notification of something long over, or a machine that does not answer.
    private func stopLooking() {
        if case .looking = screen { screen = .over(.unknown) }
    }

    /// Yes to an ask.
    public func yes() {
        // To what is on the screen, and to nothing else that the machine may list under that id by now.
        guard case .open(let seen, _, _) = screen else { return }
        decide(.sayYes) { [row, id] in try await $0.prepareYes(row: row, id: id, shown: seen.shown) }
    }

    /// Lets the joiner in whose QR was scanned.
    public func letIn(_ terms: Terms) {
        guard let scanned else { return }
        decide(.letIn) { try await $0.prepareJoinScanned(text: scanned, terms: terms) }
    }

    /// Lets a joiner in by its number: one attempt.
    public func letIn(byNumber number: String, _ terms: Terms) {
        decide(.letIn) { [row, id] in
            do {
                return try await $0.prepareJoinNumber(
                    row: row, id: id, number: number.filter { !$0.isWhitespace }, terms: terms)
            } catch PairpinError.NotThatJoin {
                // Before anything was sent, that means that it is no number at all.
                throw NoNumber()
            }
        }
    }

    /// No; nobody has to be asked for that.
    public func no(_ and: And? = nil) {
        work { [live, row, id] model, request in
            try await live.app.deny(row: row, id: id, and: and)
            // How it ended is told by the machine, to this phone as to all.
            model.screen = .over(.no(by: nil), request)
        }
    }

    // Told by the machines: it came, it changed, or it ended on another device, was withdrawn, or is over.
    private func changed(_ state: ScreenState) {
        let item = state.inbox.first { $0.row == row && $0.id == id }
        switch (screen, ending(state), item) {
        case (.open(let request, _, _), let how?, _): screen = .over(how, request)
        case (.looking, let how?, _): screen = .over(how)
        case (.open(_, let scanned, let hint), nil, let item?): screen = .open(item, scanned: scanned, hint: hint)
        case (.looking, nil, let item?): screen = .open(item, scanned: scanned != nil)
        default: break
        }
    }

    private func decide(_ prompt: Prompt, _ prepare: @escaping @MainActor (PairpinApp) async throws -> Decision) {
        work { [approver, row] model, request in
            switch try await approver.approve(row: row, prompt, prepare) {
            case .not(let hint): model.screen = .open(request, scanned: model.scanned != nil, hint: hint)
            case .given(.answered(_, let how)): model.screen = .over(how, request)
            case .given(.letIn(let digits, let name)): model.screen = .showDigits(digits, name: name)
            case .given: model.screen = .over(.unknown, request)
            }
            // It may have ended while the person decided.
            model.changed(model.live.state)
        }
    }

    private func work(_ work: @escaping @MainActor (RequestModel, InboxItem) async throws -> Void) {
        guard case .open(let request, let scanned, _) = screen else { return }
        screen = .working(request, scanned: scanned)
        _ = step({ self.failed(request, $0) }) {
            do {
                try await work(self, request)
            } catch is NoNumber {
                self.screen = .open(request, scanned: scanned, hint: .noNumber)
            }
        }
    }

    private func failed(_ request: InboxItem, _ error: PairpinError) {
        screen =
            switch error {
            // A wrong number is a no, spent before it was compared.
            case .NotThatJoin: .over(.no(by: nil), request, error: error)
            case .Gone: .over(ending(live.app.state()) ?? .unknown, request)
            default: .open(request, scanned: scanned != nil, hint: .failed(error))
            }
    }

    private func ending(_ state: ScreenState) -> Ending? {
        state.ended.last { $0.row == row && $0.id == id }?.how
    }

    private struct NoNumber: Error {}
}
