// A person's yes: this phone's approval key is brought to the machine where it has to be, signs, and the machine is
// told. Every model that decides something does it through here.
import Foundation
import Pairpin

/// What came of a person's yes.
public enum Approval: Sendable {
    /// The machine has it.
    case given(Done)
    /// Nothing was decided.
    case not(Hint)
}

/// Why something is still to be decided after an attempt.
public enum Hint: Equatable, Sendable {
    /// The prompt was dismissed.
    case cancelled
    /// The phone has no screen lock, so nobody can approve with it.
    case noScreenLock
    /// The phone's chip made no approval key.
    case keyNotMade
    /// The approval key of this phone is gone: a fresh offer, another owner or the machine's shell brings another.
    case keyGone
    /// What was typed is no number of a joiner; nothing was sent.
    case noNumber
    /// Anything else, to be tried again.
    case failed(PairpinError)
}

/// The one place where something is signed by the approval key.
@MainActor
public final class Approver {
    private let app: PairpinApp
    private let keys: any ApprovalKeys

    public init(_ live: LiveApp, _ keys: any ApprovalKeys) {
        app = live.app
        self.keys = keys
    }

    /// Prepares, asks the person by a prompt, and submits. Errors of the machine are thrown, but for a key that it
    /// does not know.
    func approve(
        row: Int64, _ prompt: Prompt, _ prepare: @MainActor (PairpinApp) async throws -> Decision
    ) async throws -> Approval {
        do {
            if let hint = try await bring(row) { return .not(hint) }
            return try await sign(try await prepare(app), prompt)
        } catch PairpinError.NoApprovalKey {
            return .not(.keyGone)
        }
    }

    /// Sees to it that the machine has this phone's approval key; why not, where that cannot be.
    private func bring(_ row: Int64) async throws -> Hint? {
        let label = try await app.approvalLabel(row: row)
        let own: Data?
        switch keys.find(label: label) {
        case .noScreenLock: return .noScreenLock
        case .key(let point): own = point
        case .none: own = nil
        }
        switch try await app.approvalStanding(row: row, own: own) {
        case .ready: return nil
        case .gone: return .keyGone
        case .toBring:
            if let own {
                // A key that has ended is still found; another takes its place.
                let hint = try await enrol(row, own)
                if hint != .keyGone { return hint }
            }
            switch keys.create(label: label) {
            case .key(let point): return try await enrol(row, point)
            case .noScreenLock: return .noScreenLock
            case .none: return .keyNotMade
            }
        }
    }

    private func enrol(_ row: Int64, _ key: Data) async throws -> Hint? {
        let enrolled = try await sign(try await app.prepareEnrol(row: row, key: key), .bringKey)
        guard case .not(let hint) = enrolled else { return nil }
        return hint
    }

    private func sign(_ decision: Decision, _ prompt: Prompt) async throws -> Approval {
        switch await keys.sign(label: decision.keyLabel(), message: decision.toSign(), why: prompt) {
        case .signed(let signature): .given(try await decision.submit(signature: signature))
        case .cancelled: .not(.cancelled)
        case .keyEnded: .not(.keyGone)
        }
    }
}
