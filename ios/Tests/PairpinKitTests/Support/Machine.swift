// The real machine: `pairpin serve`, with a home and a port of its own. What a person does at its shell goes
// through `run`.
import Foundation

#if canImport(Glibc)
    import Glibc
#endif

final class Machine: @unchecked Sendable {
    private let binary: String
    private let name: String
    let home: URL
    let address: String
    private let port: UInt16
    private var daemon: Running?

    /// A machine that listens.
    static func start(_ name: String = "homebox") async throws -> Machine {
        let machine = try Machine(name)
        try await machine.start()
        return machine
    }

    private init(_ name: String) throws {
        guard let binary = ProcessInfo.processInfo.environment["PAIRPIN_BIN"] else {
            throw NotInTime(description: "run: cargo xtask test --layer ios")
        }
        self.binary = binary
        self.name = name
        home = try temporaryDirectory("machine")
        port = try freePort()
        address = "127.0.0.1:\(port)"
    }

    deinit {
        daemon?.kill()
        try? FileManager.default.removeItem(at: home)
    }

    /// Starts the daemon, and returns once it says where it listens.
    func start() async throws {
        let serve = try starts([
            "serve", "--name", name, "--bind", "127.0.0.1", "--port", "\(port)", "--advertise", address,
            "--join-from", "loopback",
        ])
        daemon = serve
        // Its log tells when it listens, but not to a program: the admin socket does.
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

    /// Runs a command of the machine's shell; gives what it printed on stdout.
    @discardableResult
    func run(_ arguments: String...) async throws -> String {
        let running = try starts(arguments)
        try running.closeInput()
        let code = try await running.exit()
        guard code == 0 else {
            throw NotInTime(description: "\(arguments) exits with \(code): \(running.complaints)")
        }
        return running.printed
    }

    /// Starts a command of the machine's shell that waits.
    func starts(_ arguments: [String], home: URL? = nil) throws -> Running {
        let home = home ?? self.home
        var environment = [
            "PAIRPIN_STATE_DIR": home.appendingPathComponent("state").path, "PAIRPIN_SECRET_STORE": "file",
            "LC_ALL": "C.UTF-8", "TZ": "UTC", "PATH": "/usr/bin:/bin",
        ]
        for variable in ["HOME", "TMPDIR", "XDG_RUNTIME_DIR"] { environment[variable] = home.path }
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
        let running = try starts(["pair", "--json", "--no-wait"] + more)
        try running.closeInput()
        guard try await running.exit() == 0 else { throw NotInTime(description: running.complaints) }
        return try member(running.printed, "link")
    }
}

/// The text of a member of a line of JSON.
func member(_ json: String, _ name: String) throws -> String {
    let pattern = try NSRegularExpression(pattern: "\"\(name)\":\\s*\"([^\"]*)\"")
    let found = pattern.firstMatch(in: json, range: NSRange(json.startIndex..., in: json))
    guard let range = found.flatMap({ Range($0.range(at: 1), in: json) }) else {
        throw NotInTime(description: "no \(name) in \(json)")
    }
    return String(json[range])
}

/// A directory of the test's own.
func temporaryDirectory(_ what: String) throws -> URL {
    let place = FileManager.default.temporaryDirectory.appendingPathComponent("pairpin-\(what)-\(UUID().uuidString)")
    try FileManager.default.createDirectory(
        at: place, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    return place
}

/// A port on loopback that nobody has at the moment.
private func freePort() throws -> UInt16 {
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
