// The rest of the phone: where the state lies, its network, its log, what a person chose, and notices.
import Foundation
import Network
import Pairpin
import PairpinKit
import SwiftUI
import UserNotifications
import os

/// The app's own directory, out of backups and device transfer.
enum StateDirectory {
    static func path() throws -> String {
        let support = try FileManager.default.url(
            for: .applicationSupportDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
        var state = support.appendingPathComponent("pairpin", isDirectory: true)
        try FileManager.default.createDirectory(
            at: state, withIntermediateDirectories: true,
            attributes: [.protectionKey: FileProtectionType.completeUnlessOpen])
        var values = URLResourceValues()
        values.isExcludedFromBackup = true
        try state.setResourceValues(values)
        return state.path
    }
}

/// Tells when the phone is in another network, or in one again.
@MainActor
final class NetworkWatch {
    private let monitor = NWPathMonitor()

    func start(_ changed: @escaping @MainActor () -> Void) {
        monitor.pathUpdateHandler = { path in
            guard path.status == .satisfied else { return }
            Task { @MainActor in changed() }
        }
        monitor.start(queue: .main)
    }
}

/// The core's lines, in the phone's own log. There are no secrets in them.
final class PhoneLog: Log {
    private let log = Logger(subsystem: "app.pairpin", category: "core")

    func line(level: LogLevel, text: String) {
        switch level {
        case .error: log.error("\(text, privacy: .private)")
        case .warn: log.warning("\(text, privacy: .private)")
        case .info: log.info("\(text, privacy: .private)")
        case .debug: log.debug("\(text, privacy: .private)")
        }
    }
}

/// What the person chose.
@MainActor
final class PhonePreferences: Preferences {
    private let defaults = UserDefaults.standard

    var deviceName: String {
        get { defaults.string(forKey: "deviceName") ?? UIDevice.current.name }
        set { defaults.set(newValue.isEmpty ? nil : newValue, forKey: "deviceName") }
    }

    // iOS lets no app hold a connection while nobody looks.
    var stayConnected: Bool {
        get { false }
        set {}
    }
}

/// Notices while the app is away, as long as iOS lets it run. A tap opens the app; nothing is answered from there.
@MainActor
final class PhoneNotices: Notices {
    private let center = UNUserNotificationCenter.current()

    func tell(_ notice: Notice) {
        let content = UNMutableNotificationContent()
        content.title = words.of(notice)
        content.body = words[.noticeOpen]
        center.add(UNNotificationRequest(identifier: identifier(notice), content: content, trigger: nil))
    }

    func withdraw(_ notice: Notice) {
        center.removePendingNotificationRequests(withIdentifiers: [identifier(notice)])
        center.removeDeliveredNotifications(withIdentifiers: [identifier(notice)])
    }

    private func identifier(_ notice: Notice) -> String { "\(notice.row) \(notice.id)" }
}
