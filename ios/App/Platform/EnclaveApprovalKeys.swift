// Approval keys in the Secure Enclave: each use asks the person, and a new face or finger ends them.
@preconcurrency import CryptoKit
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
            // Locked out for now, or switched off for this app: that is no reason for a weaker key.
            guard case .known(let faces) = enrolled() else { return .none }
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
        let context = LAContext()
        context.localizedReason = words.of(why)
        guard let key = key(label, context) else { return .keyEnded }
        // The prompt blocks its thread until the person has decided.
        let signed = await Task.detached { Result { try key.signature(for: message).derRepresentation } }.value
        switch signed {
        case .success(let signature): return .signed(signature)
        case .failure(let error):
            let dismissed: [LAError.Code] = [.userCancel, .systemCancel, .appCancel]
            if let code = (error as? LAError)?.code, dismissed.contains(code) { return .cancelled }
            // The chip refuses a key that has ended in words that it has for other things too.
            if let made, !made.isEmpty, case .known(let now) = enrolled(), now != made { return .keyEnded }
            return .cancelled
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

    /// What is known of the faces and fingers that are enrolled.
    private enum Enrolled {
        /// Stands for them; none where none is enrolled.
        case known(Data?)
        /// They cannot be looked at now: too many misses, or not allowed for this app.
        case unknown
    }

    private func enrolled() -> Enrolled {
        let context = LAContext()
        var error: NSError?
        if context.canEvaluatePolicy(.deviceOwnerAuthenticationWithBiometrics, error: &error) {
            return .known(context.evaluatedPolicyDomainState)
        }
        let code = error.flatMap { LAError.Code(rawValue: $0.code) }
        return code == .biometryNotEnrolled || context.biometryType == .none ? .known(nil) : .unknown
    }
}
