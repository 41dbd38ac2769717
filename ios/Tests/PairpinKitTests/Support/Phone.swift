// What a phone brings, in memory: a store for secrets, a chip's keys in software, and the app on it.
import Foundation
import Pairpin

#if canImport(TestChip)
    import TestChip
#else
    import CryptoKit
#endif

final class MemoryStore: SecretStore, @unchecked Sendable {
    private let lock = NSLock()
    private var secrets: [String: Data] = [:]
    private var fault: String?

    private var doomed: Int?

    /// That write, and every one after it, fails, as if the app had been killed there; none: it lives.
    func dies(atWrite write: Int?) { lock.withLock { doomed = write } }

    /// While set, every call fails, as a store does that is locked.
    var locked: String? {
        get { lock.withLock { fault } }
        set { lock.withLock { fault = newValue } }
    }

    /// Whether it holds nothing.
    var isEmpty: Bool { lock.withLock { secrets.isEmpty } }

    /// What it holds, in the forms in which it could be told.
    var secretTexts: [String] {
        let all = lock.withLock { Array(secrets.values) }
        return all.flatMap { [$0.base64EncodedString(), $0.map { String(format: "%02x", $0) }.joined()] }
    }

    func holder() -> KeyHolder { .hardware }

    func get(name: String) throws -> Data? { try opened { $0[name] } }

    func put(name: String, secret: Data) throws {
        try lock.withLock {
            guard let left = doomed else { return }
            if left <= 1 { throw StoreError.Failed(why: "killed") }
            doomed = left - 1
        }
        try opened { $0[name] = secret }
    }

    func delete(name: String) throws { try opened { $0[name] = nil } }

    private func opened<T>(_ use: (inout [String: Data]) -> T) throws -> T {
        try lock.withLock {
            if let fault { throw StoreError.Failed(why: fault) }
            return use(&secrets)
        }
    }
}

/// A P-256 key. Its signatures are DER, as those of a chip are.
final class ChipKey: @unchecked Sendable {
    #if canImport(TestChip)
        private let key = test_chip_make()!

        deinit { test_chip_free(key) }

        var point: Data {
            var point = Data(count: 65)
            let well = point.withUnsafeMutableBytes {
                test_chip_public(key, $0.bindMemory(to: UInt8.self).baseAddress!)
            }
            precondition(well == 1)
            return point
        }

        func sign(_ message: Data) -> Data {
            var signature = [UInt8](repeating: 0, count: 80)
            let bytes = [UInt8](message)
            let length = test_chip_sign(key, bytes, bytes.count, &signature)
            return Data(signature.prefix(length))
        }
    #else
        private let key = P256.Signing.PrivateKey()

        var point: Data { key.publicKey.x963Representation }

        func sign(_ message: Data) -> Data { (try? key.signature(for: message).derRepresentation) ?? Data() }
    #endif
}

final class MemorySigner: SessionSigner, @unchecked Sendable {
    private let lock = NSLock()
    private var keys: [String: ChipKey] = [:]

    /// Whether it holds nothing.
    var isEmpty: Bool { lock.withLock { keys.isEmpty } }

    func holder() -> KeyHolder { .hardware }

    func create(label: String) throws -> Data {
        try lock.withLock {
            if keys[label] != nil { throw StoreError.Failed(why: "there is a key under that label") }
            let made = ChipKey()
            keys[label] = made
            return made.point
        }
    }

    func publicKey(label: String) throws -> Data? { lock.withLock { keys[label]?.point } }

    func sign(label: String, message: Data) throws -> Data {
        guard let key = lock.withLock({ keys[label] }) else { throw StoreError.Failed(why: "the key is gone") }
        return key.sign(message)
    }

    func delete(label: String) throws { lock.withLock { keys[label] = nil } }
}

/// A phone: its directory, store and chip.
final class Phone: Sendable {
    let directory: URL
    let name: String
    let store: MemoryStore
    let signer: MemorySigner

    init(_ name: String) throws {
        self.name = name
        directory = try temporaryDirectory("phone")
        (store, signer) = (MemoryStore(), MemorySigner())
    }

    /// Another phone, to which a backup has brought the state of this one, and no keys.
    init(restoredFrom other: Phone) throws {
        name = other.name
        directory = try temporaryDirectory("phone")
        try FileManager.default.copyItem(
            atPath: other.stateDir, toPath: directory.appendingPathComponent("state").path)
        (store, signer) = (MemoryStore(), MemorySigner())
    }

    /// Leaves nothing behind.
    func end() { try? FileManager.default.removeItem(at: directory) }

    var stateDir: String { directory.appendingPathComponent("state").path }

    func open() async throws -> PairpinApp {
        try await PairpinApp.open(
            settings: AppSettings(stateDir: stateDir, deviceName: name, platform: "Swift"), store: store,
            signer: signer,
            log: nil)
    }
}
