// Frames of a camera, made of the QR on a machine's screen: a grey plane, its rows a stride apart.
import Foundation
import Pairpin
import PairpinKit

/// A QR's modules, true is dark.
struct Modules {
    let side: Int
    private let dark: [Bool]

    /// Of a QR that was drawn with two letters a module, with or without colours.
    init(drawn: String) throws {
        let colour = try NSRegularExpression(pattern: "\u{1b}\\[[0-9;]*m")
        let range = NSRange(drawn.startIndex..., in: drawn)
        let plain = colour.stringByReplacingMatches(in: drawn, range: range, withTemplate: "")
        // Its rows: nothing but dark and light.
        let rows = plain.split(separator: "\n").map { row in
            row.enumerated().filter { $0.offset % 2 == 0 }.map { $0.element == "#" }
        }
        let lines = zip(plain.split(separator: "\n"), rows).filter { line, _ in line.allSatisfy { "# ".contains($0) } }
        side = lines.map(\.1.count).max() ?? 0
        guard side > 20, lines.count == side else { throw NotInTime(description: "no QR in \(plain)") }
        let width = side
        dark = lines.flatMap { $0.1 + [Bool](repeating: false, count: width - $0.1.count) }
    }

    /// Of what this phone draws, with a quiet zone around.
    init(_ qr: QrModules) {
        let inner = Int(qr.side)
        let outer = inner + 8
        var dark = [Bool](repeating: false, count: outer * outer)
        for (at, module) in qr.dark.enumerated() { dark[(at / inner + 4) * outer + at % inner + 4] = module == 1 }
        side = outer
        self.dark = dark
    }

    /// Of rows of `#` and other letters.
    init(rows: [String]) {
        let qr = rows.flatMap { $0.map { UInt8($0 == "#" ? 1 : 0) } }
        self.init(QrModules(side: UInt32(rows.count), dark: Data(qr)))
    }

    /// Whether it is dark there, as parts of the side; outside there is nothing.
    func isDark(_ x: Double, _ y: Double) -> Bool? {
        guard (0..<1).contains(x), (0..<1).contains(y) else { return nil }
        return dark[Int(y * Double(side)) * side + Int(x * Double(side))]
    }
}

/// A 720p frame that shows a QR, turned by some degrees, with the noise of a camera.
final class Frame: Sendable {
    static let (width, height, stride) = (1280, 720, 1344)
    private let plane: [UInt8]

    init(_ modules: Modules, degrees: Double = 7, noise: Int = 12) {
        var random = Noise(state: 1)
        let (sine, cosine) = (sin(degrees * .pi / 180), cos(degrees * .pi / 180))
        var plane = [UInt8](repeating: 90, count: Self.stride * Self.height)
        let side = 420.0
        for y in 0..<Self.height {
            for x in 0..<Self.width {
                let (dx, dy) = (Double(x) - 640, Double(y) - 360)
                let at = ((dx * cosine + dy * sine) / side + 0.5, (dy * cosine - dx * sine) / side + 0.5)
                let grey =
                    switch modules.isDark(at.0, at.1) {
                    case nil: 90
                    case true?: 20
                    case false?: 235
                    }
                let seen = grey + Int(random.next() % UInt64(2 * noise)) - noise
                plane[y * Self.stride + x] = UInt8(clamping: seen)
            }
        }
        self.plane = plane
    }

    /// What the core reads in it.
    func read() -> Scanned? {
        plane.withUnsafeBytes {
            LumaFrame(plane: $0, width: Self.width, height: Self.height, stride: Self.stride).read()
        }
    }
}

/// The same numbers in every run.
private struct Noise {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 33
    }
}
