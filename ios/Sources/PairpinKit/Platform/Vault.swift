// The phone's secrets and session keys, as the core wants them, over what a platform has.
import Foundation
import Pairpin

/// Why a platform's key store did not do what it was asked.
public enum VaultFault: Error, Equatable, Sendable {
    /// The phone is locked, and has not been unlocked since it started.
    case locked
    /// There is a key under that label already, and keys are never replaced.
    case keyIsThere
    /// There is no key under that label.
    case keyIsGone
    /// Anything else: the platform's own number.
    case other(Int)
}

/// Small secrets by name, on this device only, encrypted, out of backups. A Keychain.
public protocol Vault: Sendable {
    func read(_ name: String) throws(VaultFault) -> Data?
    /// Replaces an older one in one step; on return it is durable.
    func write(_ name: String, _ secret: Data) throws(VaultFault)
    /// No fault if there is none.
    func remove(_ name: String) throws(VaultFault)
}

/// P-256 keys that never leave a chip and ask nobody. A Secure Enclave.
public protocol Chip: Sendable {
    /// Whether it is a chip, or software in its place.
    var isHardware: Bool { get }
    /// Makes a key, never in place of another; 65 bytes, SEC 1, uncompressed.
    func make(_ label: String) throws(VaultFault) -> Data
    func point(_ label: String) throws(VaultFault) -> Data?
    /// ECDSA with SHA-256, DER.
    func sign(_ label: String, _ message: Data) throws(VaultFault) -> Data
    func remove(_ label: String) throws(VaultFault)
}

/// The core's store over a vault.
public final class VaultStore: SecretStore {
    private let vault: any Vault
    private let isHardware: Bool
    private let texts: Texts

    /// `isHardware`: whether what encrypts the vault is bound to a chip.
    public init(_ vault: any Vault, isHardware: Bool, texts: Texts) {
        self.vault = vault
        self.isHardware = isHardware
        self.texts = texts
    }

    public func holder() -> KeyHolder { isHardware ? .hardware : .keyring }

    public func get(name: String) throws -> Data? {
        try told(texts) { () throws(VaultFault) in try vault.read(name) }
    }

    public func put(name: String, secret: Data) throws {
        try told(texts) { () throws(VaultFault) in try vault.write(name, secret) }
    }

    public func delete(name: String) throws {
        try told(texts) { () throws(VaultFault) in try vault.remove(name) }
    }
}

/// The core's signer over a chip.
public final class ChipSigner: SessionSigner {
    private let chip: any Chip
    private let texts: Texts

    public init(_ chip: any Chip, texts: Texts) {
        self.chip = chip
        self.texts = texts
    }

    public func holder() -> KeyHolder { chip.isHardware ? .hardware : .keyring }

    public func create(label: String) throws -> Data {
        try told(texts) { () throws(VaultFault) in try chip.make(label) }
    }

    public func publicKey(label: String) throws -> Data? {
        try told(texts) { () throws(VaultFault) in try chip.point(label) }
    }

    public func sign(label: String, message: Data) throws -> Data {
        try told(texts) { () throws(VaultFault) in try chip.sign(label, message) }
    }

    public func delete(label: String) throws {
        try told(texts) { () throws(VaultFault) in try chip.remove(label) }
    }
}

/// A fault, with its cause and the next step in the person's language.
private func told<Answer>(_ texts: Texts, _ work: () throws(VaultFault) -> Answer) throws -> Answer {
    do {
        return try work()
    } catch {
        throw StoreError.Failed(why: texts.of(error))
    }
}
