// Session keys in the Secure Enclave: made there, used there, without asking anybody.
import CryptoKit
import Foundation
import PairpinKit
import Security

/// One P-256 key for each machine. What the Keychain holds of it is of no use outside this phone's chip.
struct EnclaveChip: Chip {
    private let vault = KeychainVault(service: "app.pairpin.session-keys")

    var isHardware: Bool { SecureEnclave.isAvailable }

    func make(_ label: String) throws(VaultFault) -> Data {
        if try vault.read(label) != nil { throw .keyIsThere }
        let (wrapped, point) = try made()
        try vault.write(label, wrapped)
        return point
    }

    func point(_ label: String) throws(VaultFault) -> Data? {
        guard let wrapped = try vault.read(label) else { return nil }
        return try opened(wrapped).point
    }

    func sign(_ label: String, _ message: Data) throws(VaultFault) -> Data {
        guard let wrapped = try vault.read(label) else { throw .keyIsGone }
        return try opened(wrapped).sign(message)
    }

    func remove(_ label: String) throws(VaultFault) {
        try vault.remove(label)
    }

    private func made() throws(VaultFault) -> (wrapped: Data, point: Data) {
        do {
            if isHardware {
                let key = try SecureEnclave.P256.Signing.PrivateKey(accessControl: guarded([.privateKeyUsage]))
                return (key.dataRepresentation, key.publicKey.x963Representation)
            }
            // A simulator has no chip; `isHardware` says so to the machine and the person.
            let key = P256.Signing.PrivateKey()
            return (key.rawRepresentation, key.publicKey.x963Representation)
        } catch {
            throw VaultFault.other((error as NSError).code)
        }
    }

    private func opened(_ wrapped: Data) throws(VaultFault) -> Opened {
        do {
            if isHardware { return .chip(try SecureEnclave.P256.Signing.PrivateKey(dataRepresentation: wrapped)) }
            return .software(try P256.Signing.PrivateKey(rawRepresentation: wrapped))
        } catch {
            throw VaultFault.other((error as NSError).code)
        }
    }

    private enum Opened {
        case chip(SecureEnclave.P256.Signing.PrivateKey)
        case software(P256.Signing.PrivateKey)

        var point: Data {
            switch self {
            case .chip(let key): key.publicKey.x963Representation
            case .software(let key): key.publicKey.x963Representation
            }
        }

        func sign(_ message: Data) throws(VaultFault) -> Data {
            do {
                switch self {
                case .chip(let key): return try key.signature(for: message).derRepresentation
                case .software(let key): return try key.signature(for: message).derRepresentation
                }
            } catch {
                throw VaultFault.other((error as NSError).code)
            }
        }
    }
}

/// What guards a key of the chip.
func guarded(
    _ flags: SecAccessControlCreateFlags,
    _ accessible: CFString = kSecAttrAccessibleWhenUnlockedThisDeviceOnly
) throws -> SecAccessControl {
    var error: Unmanaged<CFError>?
    if let control = SecAccessControlCreateWithFlags(nil, accessible, flags, &error) { return control }
    throw error?.takeRetainedValue() ?? NSError(domain: NSOSStatusErrorDomain, code: Int(errSecParam))
}
