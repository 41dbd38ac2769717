// Approval keys in the Secure Enclave: each use asks the person, and a new face or finger ends them.
import CryptoKit
import Foundation
import LocalAuthentication
import PairpinKit
import Security

@MainActor
final class EnclaveApprovalKeys: ApprovalKeys {
    // Gone with the passcode, so that nothing of it is left on a phone without a lock.
    private let vault = KeychainVault(
        service: "app.pairpin.approval-keys", accessible: kSecAttrAccessibleWhenPasscodeSetThisDeviceOnly)

    func find(label: String) -> Holding {
        guard hasScreenLock() else { return .noScreenLock }
        return key(label).map { .key($0.publicKey.x963Representation) } ?? .none
    }

    func create(label: String) -> Holding {
        guard hasScreenLock() else { return .noScreenLock }
        do {
            let faces = enrolled()
            // Where a face or a finger is enrolled, that set and no later one; else the passcode.
            let person: SecAccessControlCreateFlags = faces == nil ? .devicePasscode : .biometryCurrentSet
            let control = try guarded([.privateKeyUsage, person], kSecAttrAccessibleWhenPasscodeSetThisDeviceOnly)
            let made = try SecureEnclave.P256.Signing.PrivateKey(accessControl: control)
            try vault.write(label, made.dataRepresentation)
            try vault.write(label + ".faces", faces ?? Data())
            return .key(made.publicKey.x963Representation)
        } catch {
            return .none
        }
    }

    func sign(label: String, message: Data, why: Prompt) async -> Signing {
        let made = (try? vault.read(label + ".faces")) ?? nil
        // The chip refuses a key that has ended, in words that it has for other things too.
        if let made, !made.isEmpty, made != enrolled() { return .keyEnded }
        let context = LAContext()
        context.localizedReason = words.of(why)
        guard let key = key(label, context) else { return .keyEnded }
        // The prompt blocks its thread until the person has decided.
        let signed = await Task.detached { Result { try key.signature(for: message).derRepresentation } }.value
        switch signed {
        case .success(let signature): return .signed(signature)
        case .failure: return .cancelled
        }
    }

    func hasScreenLock() -> Bool {
        LAContext().canEvaluatePolicy(.deviceOwnerAuthentication, error: nil)
    }

    private func key(_ label: String, _ context: LAContext? = nil) -> SecureEnclave.P256.Signing.PrivateKey? {
        guard let wrapped = (try? vault.read(label)) ?? nil else { return nil }
        return try? SecureEnclave.P256.Signing.PrivateKey(
            dataRepresentation: wrapped, authenticationContext: context)
    }

    /// Stands for the faces and fingers that are enrolled now; none where none is.
    private func enrolled() -> Data? {
        let context = LAContext()
        guard context.canEvaluatePolicy(.deviceOwnerAuthenticationWithBiometrics, error: nil) else { return nil }
        return context.evaluatedPolicyDomainState
    }
}
