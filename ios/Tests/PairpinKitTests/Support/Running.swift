// A command of the binary that runs: its lines as they come, and its exit code.
import Foundation

/// What a test waited for did not come.
struct NotInTime: Error, CustomStringConvertible {
    let description: String
}

/// Seconds that anything may take.
let deadlineSeconds = 30.0

/// Runs `work`, for so long at most.
func inTime<T: Sendable>(
    _ what: String, seconds: Double = deadlineSeconds, _ work: @escaping @Sendable () async throws -> T
) async throws -> T {
    try await withThrowingTaskGroup(of: T.self) { group in
        group.addTask(operation: work)
        group.addTask {
            try await Task.sleep(for: .seconds(seconds))
            throw NotInTime(description: "not in time: \(what)")
        }
        defer { group.cancelAll() }
        guard let first = try await group.next() else { throw NotInTime(description: what) }
        return first
    }
}

/// Runs `work` with no signal blocked: a process inherits what the thread blocks that starts it, and the threads that
/// run tests block all, which would leave it deaf to the signal that ends it.
private func unblocked(_ work: () throws -> Void) rethrows {
    var (none, before) = (sigset_t(), sigset_t())
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    try work()
}

/// A started process. What it prints is kept line by line, for whoever asks for one.
final class Running: @unchecked Sendable {
    private let process = Process()
    private let input = Pipe()
    private let lock = NSLock()
    private var said = ""
    private var code: Int32?
    private var taken = 0
    private var lines: [String] = []
    private var waiting: [CheckedContinuation<Void, Never>] = []
    private var open = 2
    private var changes = 0

    init(_ binary: String, _ arguments: [String], environment: [String: String], directory: URL) throws {
        // What is typed into a process that has ended is an error, and not our end.
        signal(SIGPIPE, SIG_IGN)
        process.executableURL = URL(fileURLWithPath: binary)
        process.arguments = arguments
        process.environment = environment
        process.currentDirectoryURL = directory
        process.standardInput = input
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        // It stays until its process has ended: nobody else would see that.
        process.terminationHandler = { [self] ended in
            change { $0.code = ended.terminationStatus }
            process.terminationHandler = nil
        }
        try unblocked { try process.run() }
        read(output.fileHandleForReading) { running, line in running.lines.append(line) }
        read(errors.fileHandleForReading) { running, line in running.said += line + "\n" }
    }

    /// The next line on stdout that holds `text`.
    func line(_ text: String) async throws -> String {
        try await inTime("a line with \(text)") { [self] in
            while true {
                let seen = now
                if let found = try next(text) { return found }
                await changed(after: seen)
                try Task.checkCancellation()
            }
        }
    }

    /// Types a line.
    func type(_ line: String) throws {
        try input.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8))
    }

    /// Nothing more is typed.
    func closeInput() throws {
        try input.fileHandleForWriting.close()
    }

    /// Its exit code once it has ended and all that it printed is here.
    func exit() async throws -> Int32 {
        try await inTime("\(process.arguments ?? []) ends") { [self] in
            while true {
                let seen = now
                if let code = over() { return code }
                await changed(after: seen)
                try Task.checkCancellation()
            }
        }
    }

    /// Everything on stdout so far.
    var printed: String { lock.withLock { lines.joined(separator: "\n") } }

    /// Everything on stderr so far.
    var complaints: String { lock.withLock { said } }

    var isRunning: Bool { process.isRunning }

    /// Ends it as a person does.
    func stop() async throws -> Int32 {
        process.terminate()
        return try await exit()
    }

    /// Ends it at once.
    func kill() {
        if process.isRunning { Foundation.kill(process.processIdentifier, SIGKILL) }
    }

    private func next(_ text: String) throws -> String? {
        try lock.withLock {
            while taken < lines.count {
                taken += 1
                if lines[taken - 1].contains(text) { return lines[taken - 1] }
            }
            if code != nil && open == 0 { throw NotInTime(description: "it ended without \(text); it said: \(said)") }
            return nil
        }
    }

    private func over() -> Int32? {
        lock.withLock { open == 0 ? code : nil }
    }

    private func read(_ handle: FileHandle, _ line: @escaping @Sendable (Running, String) -> Void) {
        let pipe = dup(handle.fileDescriptor)
        // A thread of its own: what blocks must not hold one of the few that run the tests.
        Thread.detachNewThread { [self] in
            var (rest, bytes) = ([UInt8](), [UInt8](repeating: 0, count: 4096))
            while case let count = Foundation.read(pipe, &bytes, bytes.count), count > 0 {
                rest += bytes.prefix(count)
                while let end = rest.firstIndex(of: 10) {
                    let whole = String(decoding: rest[..<end], as: UTF8.self)
                    rest.removeSubrange(...end)
                    change { line($0, whole) }
                }
            }
            close(pipe)
            let last = String(decoding: rest, as: UTF8.self)
            change {
                if !last.isEmpty { line($0, last) }
                $0.open -= 1
            }
        }
    }

    private func change(_ how: (Running) -> Void) {
        let woken = lock.withLock {
            how(self)
            changes += 1
            defer { waiting = [] }
            return waiting
        }
        for one in woken { one.resume() }
    }

    /// How much has changed so far.
    private var now: Int { lock.withLock { changes } }

    /// Returns once more has changed than `seen`; at once where the caller was cancelled.
    private func changed(after seen: Int) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let late = lock.withLock {
                    if Task.isCancelled || changes != seen { return true }
                    waiting.append(continuation)
                    return false
                }
                if late { continuation.resume() }
            }
        } onCancel: {
            change { _ in }
        }
    }
}
