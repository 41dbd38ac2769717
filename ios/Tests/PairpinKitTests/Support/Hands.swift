// A person's hands and a phone's platform in the tests: approval keys in memory, a camera of pictures, preferences.
import Foundation
import Observation
import Pairpin
import PairpinKit

/// A chip's approval keys, and the person at the prompt.
@MainActor
final class MemoryApprovalKeys: ApprovalKeys {
    enum Person { case saysYes, dismisses }

    private var keys: [String: ChipKey] = [:]
    private var ended: Set<String> = []

    /// What the person does at the next prompts.
    var person = Person.saysYes
    /// Whether the phone has a lock.
    var locked = true
    /// Whether the chip makes keys.
    var works = true
    /// The prompts that were shown.
    var prompts: [Prompt] = []

    /// The person enrols another finger: every key that there is ends, and is still found.
    func enrolAFinger() { ended.formUnion(keys.keys) }

    /// They are gone, and not found any more.
    func forgetAll() { keys = [:] }

    func find(label: String) -> Holding {
        if !locked { return .noScreenLock }
        return keys[label].map { .key($0.point) } ?? .none
    }

    func create(label: String) -> Holding {
        if !locked { return .noScreenLock }
        if !works { return .none }
        let made = ChipKey()
        keys[label] = made
        ended.remove(label)
        return .key(made.point)
    }

    func sign(label: String, message: Data, why: Prompt) async -> Signing {
        guard let key = keys[label], !ended.contains(label) else { return .keyEnded }
        prompts.append(why)
        return person == .saysYes ? .signed(key.sign(message)) : .cancelled
    }

    func hasScreenLock() -> Bool { locked }
}

/// A camera that sees one thing, over and over, as long as it is open.
@MainActor
final class PictureCamera: Camera {
    var access: CameraAccess
    var sees: Frame?
    let hasTorch = true
    /// What a person answers who is asked.
    var answer = CameraAccess.allowed
    /// How often the person was asked.
    private(set) var asked = 0
    /// How often it was opened.
    private(set) var opened = 0
    private(set) var lit = false
    private var looking: Task<Void, Never>?

    /// Whether it looks now.
    var isOpen: Bool { looking != nil }

    init(_ access: CameraAccess, sees: Frame? = nil) {
        self.access = access
        self.sees = sees
    }

    func askForAccess() async -> CameraAccess {
        asked += 1
        access = answer
        return access
    }

    func start(_ seen: @escaping @MainActor (Scanned) -> Void) {
        precondition(looking == nil, "it is open")
        opened += 1
        looking = Task { [weak self] in
            while !Task.isCancelled {
                let frame = self?.sees
                if let read = await Task.detached(operation: { frame?.read() }).value, !Task.isCancelled { seen(read) }
                await Task.yield()
            }
        }
    }

    func torch(_ on: Bool) { lit = on }

    func stop() {
        looking?.cancel()
        looking = nil
        lit = false
    }
}

/// What a person chose, for as long as the test lasts.
@MainActor
final class MemoryPreferences: Preferences {
    var deviceName = "Ana's phone" {
        didSet { if deviceName.isEmpty { deviceName = "phone" } }
    }
    var stayConnected = false
}

/// Notices as they stand on the phone.
@MainActor
@Observable
final class MemoryNotices: Notices {
    private(set) var standing: [Notice] = []

    func tell(_ notice: Notice) { standing.append(notice) }

    func withdraw(_ notice: Notice) { standing.removeAll { $0 == notice } }
}
