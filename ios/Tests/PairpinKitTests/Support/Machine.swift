// The real machine: `pairpin serve`, with a home and a port of its own. What a person does at its shell goes
// through `run`.
import Foundation

#if canImport(Glibc)
    import Glibc
#endif

final class Machine: @unchecked Sendable {
    private let binary: String
    private let name: String
    private let clock: String?
    let home: URL
    let port: UInt16
    private var daemon: Running?

    /// Where it is reached.
    var address: String { "127.0.0.1:\(port)" }

    /// `clock` is by how much its wall clock is wrong, as "+40d".
    init(_ name: String, port: UInt16? = nil, clock: String? = nil) throws {
        guard let binary = ProcessInfo.processInfo.environment["PAIRPIN_BIN"] else {
            throw NotInTime(description: "run: cargo xtask test --layer ios")
        }
        self.binary = binary
        self.name = name
        self.clock = clock
        home = try temporaryDirectory("machine")
        self.port = try port ?? freePort()
    }

    /// Ends it at once, and leaves nothing behind.
    func end() {
        daemon?.kill()
        try? FileManager.default.removeItem(at: home)
    }

    /// Starts the daemon, and returns once it says where it listens.
    func start(_ more: String...) async throws {
        let options = ["--name", name, "--bind", "127.0.0.1", "--port", "\(port)", "--advertise", address]
        let serve = try starts(["serve"] + options + ["--join-from", "loopback"] + more)
        daemon = serve
        // Before that its state is its own: a command that looks into it would be in its way.
        _ = try await serve.line("reachable at")
        try await inTime("the machine listens") { [self] in
            while true {
                if !serve.isRunning { throw NotInTime(description: "serve ended: \(serve.complaints)") }
                if let status = try? await run("status", "--json"), status.contains("\"running\":true") { return }
            }
        }
    }

    /// Ends the daemon as a person does, and waits for it.
    func stop() async throws {
        _ = try await daemon?.stop()
        daemon = nil
    }

    /// Loses its identity key while it is stopped, and serves under a new one: what a person does after that.
    func makesItsKeyAnew() async throws {
        try await stop()
        try FileManager.default.removeItem(at: home.appendingPathComponent("state/identity.key"))
        try await start("--new-key", "--yes")
    }

    /// Changes what is stored, while it is stopped.
    func rewrite(_ sql: String) async throws {
        try await stop()
        try await sqlite(home.appendingPathComponent("state/machine.db"), sql)
        try await start()
    }

    /// Runs a command of the machine's shell; gives what it printed on stdout.
    @discardableResult
    func run(_ arguments: String...) async throws -> String { try await run(arguments) }

    /// Starts a command of the machine's shell, or of a home of its own, that waits.
    func starts(_ arguments: [String], home: URL? = nil) throws -> Running {
        let home = home ?? self.home
        var environment = [
            "PAIRPIN_STATE_DIR": home.appendingPathComponent("state").path, "PAIRPIN_SECRET_STORE": "file",
            "LC_ALL": "C.UTF-8", "TZ": "UTC", "PATH": "/usr/bin:/bin",
        ]
        for variable in ["HOME", "TMPDIR", "XDG_RUNTIME_DIR"] { environment[variable] = home.path }
        if let clock { environment.merge(try wallClock(clock)) { $1 } }
        return try Running(binary, arguments, environment: environment, directory: home)
    }

    /// A laptop without an offer that asks to be let in.
    func joiner() throws -> Running {
        let laptop = home.appendingPathComponent("laptop-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: laptop, withIntermediateDirectories: true)
        return try starts(["join", address, "--json", "--yes"], home: laptop)
    }

    /// Makes an offer; gives its link.
    func offer(_ more: String...) async throws -> String {
        try member(await run(["pair", "--json", "--no-wait"] + more), "link")
    }

    /// Makes an offer; gives the QR that stands on its screen.
    func offerQr(_ more: String...) async throws -> Modules {
        try Modules(drawn: await run(["pair", "--no-wait", "--qr-format", "ascii"] + more))
    }

    /// Makes a code to be typed.
    func code() async throws -> String { try member(await run("pair", "--json", "--no-wait", "--code"), "code") }

    /// The names under which it lists devices.
    func devices() async throws -> [String] { try members(await run("devices", "--json"), "name") }

    /// Its key's fingerprint, as its own screen shows it.
    func fingerprint() async throws -> String { try member(await run("key", "show", "--json"), "fingerprint") }

    private func run(_ arguments: [String]) async throws -> String {
        let running = try starts(arguments)
        try running.closeInput()
        let code = try await running.exit()
        guard code == 0 else {
            throw NotInTime(description: "\(arguments) exits with \(code): \(running.complaints)")
        }
        return running.printed
    }
}

/// Runs SQL on a database that nobody has open.
func sqlite(_ database: URL, _ sql: String) async throws {
    let running = try Running(
        "/usr/bin/sqlite3", [database.path, sql], environment: [:], directory: database.deletingLastPathComponent())
    guard try await running.exit() == 0 else { throw NotInTime(description: running.complaints) }
}

/// The text of a member of a line of JSON.
func member(_ json: String, _ name: String) throws -> String {
    guard let first = try members(json, name).first else { throw NotInTime(description: "no \(name) in \(json)") }
    return first
}

/// The texts of all members of that name.
func members(_ json: String, _ name: String) throws -> [String] {
    let pattern = try NSRegularExpression(pattern: "\"\(name)\":\\s*\"([^\"]*)\"")
    let found = pattern.matches(in: json, range: NSRange(json.startIndex..., in: json))
    return found.compactMap { Range($0.range(at: 1), in: json).map { String(json[$0]) } }
}

/// Another wall clock for a process. The clocks that measure time are left alone.
private func wallClock(_ offset: String) throws -> [String: String] {
    let places = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib")) ?? []
    let files = places.map { "/usr/lib/\($0)/faketime/libfaketime.so.1" }
    guard let library = files.first(where: FileManager.default.fileExists(atPath:)) else {
        throw NotInTime(description: "libfaketime is not installed: install what Debian calls faketime")
    }
    return ["LD_PRELOAD": library, "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"]
}

/// A directory of the test's own.
func temporaryDirectory(_ what: String) throws -> URL {
    let place = FileManager.default.temporaryDirectory.appendingPathComponent("pairpin-\(what)-\(UUID().uuidString)")
    try FileManager.default.createDirectory(
        at: place, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    return place
}

/// A port on loopback that nobody has at the moment.
func freePort() throws -> UInt16 {
    #if canImport(Glibc)
        let stream = Int32(SOCK_STREAM.rawValue)
    #else
        let stream = SOCK_STREAM
    #endif
    let place = socket(AF_INET, stream, 0)
    defer { close(place) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(place, $0, length) == 0 && getsockname(place, $0, &length) == 0
        }
    }
    guard bound else { throw NotInTime(description: "no free port") }
    return UInt16(bigEndian: address.sin_port)
}
