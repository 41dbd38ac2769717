// The approval keys of a phone: one for each machine, in its chip, and a person at each use.
import Foundation

/// What came of asking the chip for a signature.
public enum Signing: Equatable, Sendable {
    /// The person was there; a DER signature.
    case signed(Data)
    /// The person said no, or the prompt was dismissed: nothing was sent.
    case cancelled
    /// The key ended, as it does when a new face or finger is enrolled: it has to be brought anew.
    case keyEnded
}

/// What came of looking for a key.
public enum Holding: Equatable, Sendable {
    /// It is there; 65 bytes.
    case key(Data)
    /// There is none under that label, or the chip made none.
    case none
    /// The phone has no screen lock, so it can hold none.
    case noScreenLock
}

/// What a prompt for a face or a finger says.
public enum Prompt: String, CaseIterable, Sendable {
    case bringKey, sayYes, letIn, invite, revoke, change
}

/// Implemented over the Secure Enclave by the app, in memory by the tests.
@MainActor
public protocol ApprovalKeys: AnyObject {
    /// The key under `label`.
    func find(label: String) -> Holding

    /// Makes a key under `label`, in place of one that has ended.
    func create(label: String) -> Holding

    /// Asks the person, and signs by ECDSA with SHA-256.
    func sign(label: String, message: Data, why: Prompt) async -> Signing

    /// Whether the phone has a screen lock.
    func hasScreenLock() -> Bool
}
