// Secrets in the Keychain: on this device alone, out of backups, readable while it is unlocked.
import Foundation
import PairpinKit
import Security

/// Small items under one service.
struct KeychainVault: Vault {
    private let service: String
    // Not as CFString, which may not be shared between threads.
    private let accessible: String

    init(
        service: String = "app.pairpin.secrets",
        accessible: CFString = kSecAttrAccessibleWhenUnlockedThisDeviceOnly
    ) {
        self.service = service
        self.accessible = accessible as String
    }

    func read(_ name: String) throws(VaultFault) -> Data? {
        var query = item(name)
        query[kSecReturnData] = true
        query[kSecMatchLimit] = kSecMatchLimitOne
        var found: CFTypeRef?
        let status = SecItemCopyMatching(query as CFDictionary, &found)
        if status == errSecItemNotFound { return nil }
        try check(status)
        return found as? Data
    }

    func write(_ name: String, _ secret: Data) throws(VaultFault) {
        // An item that is there is replaced in one step.
        let changed = SecItemUpdate(item(name) as CFDictionary, [kSecValueData: secret] as CFDictionary)
        guard changed == errSecItemNotFound else { return try check(changed) }
        var new = item(name)
        new[kSecValueData] = secret
        new[kSecAttrAccessible] = accessible
        try check(SecItemAdd(new as CFDictionary, nil))
    }

    func remove(_ name: String) throws(VaultFault) {
        let status = SecItemDelete(item(name) as CFDictionary)
        if status != errSecItemNotFound { try check(status) }
    }

    private func item(_ name: String) -> [CFString: Any] {
        [
            kSecClass: kSecClassGenericPassword, kSecAttrService: service, kSecAttrAccount: name,
            kSecAttrSynchronizable: false, kSecUseDataProtectionKeychain: true,
        ]
    }

    private func check(_ status: OSStatus) throws(VaultFault) {
        switch status {
        case errSecSuccess: return
        case errSecInteractionNotAllowed: throw .locked
        default: throw .other(Int(status))
        }
    }
}
