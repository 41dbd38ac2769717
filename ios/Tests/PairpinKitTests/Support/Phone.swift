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

    /// While set, every call fails, as a store does that is locked.
    var locked: String? {
        get { lock.withLock { fault } }
        set { lock.withLock { fault = newValue } }
    }

    /// As on a phone that was restored from a backup: the secrets stayed on the old one.
    func lose() { lock.withLock { secrets = [:] } }

    func holder() -> KeyHolder { .hardware }

    func get(name: String) throws -> Data? { try opened { $0[name] } }

    func put(name: String, secret: Data) throws { try opened { $0[name] = secret } }

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
            let well = point.withUnsafeMutableBytes { test_chip_public(key, $0.bindMemory(to: UInt8.self).baseAddress!) }
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
    let store = MemoryStore()
    let signer = MemorySigner()

    init(_ name: String = "Ana's phone") throws {
        self.name = name
        directory = try temporaryDirectory("phone")
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    var stateDir: String { directory.appendingPathComponent("state").path }

    func open() async throws -> PairpinApp {
        try await PairpinApp.open(
            settings: AppSettings(stateDir: stateDir, deviceName: name, platform: "Swift"), store: store, signer: signer,
            log: nil)
    }
}

extension PairpinApp {
    /// Waits for a state, with a deadline; the present one counts.
    @discardableResult
    func reaches<T: Sendable>(
        _ what: String, _ look: @escaping @Sendable (ScreenState) -> T?
    ) async throws -> T {
        try await inTime(what) { [self] in
            let (states, feed) = AsyncStream.makeStream(of: ScreenState.self, bufferingPolicy: .bufferingNewest(1))
            let listening = Task { await listen(listener: Feed(feed)) }
            defer { listening.cancel() }
            for await state in states {
                if let found = look(state) { return found }
            }
            throw NotInTime(description: "the app is over before: \(what)")
        }
    }
}

private final class Feed: StateListener {
    private let feed: AsyncStream<ScreenState>.Continuation

    init(_ feed: AsyncStream<ScreenState>.Continuation) { self.feed = feed }

    func changed(state: ScreenState) { feed.yield(state) }
}
