// The texts among the byte vectors: every one is known for what it is, drawn, and read back from a frame.
import Foundation
import Pairpin
import PairpinKit
import Testing

/// A file of vectors.
private func vectors(_ name: String) throws -> [String: Any] {
    guard let tests = ProcessInfo.processInfo.environment["PAIRPIN_TESTS"] else {
        throw NotInTime(description: "run: cargo xtask test --layer ios")
    }
    let data = try Data(contentsOf: URL(fileURLWithPath: tests).appendingPathComponent("vectors/\(name).json"))
    return try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
}

@Suite struct VectorTests {
    @Test("Every link of the vectors is an offer, drawn and read back; with a letter changed it is damaged")
    func links() throws {
        let cases = try #require(try vectors("links")["cases"] as? [[String: Any]])
        let texts = cases.compactMap { $0["text"] as? String }
        #expect(texts.count > 3)
        for text in texts {
            #expect(scanText(text: text) == .offer(link: text))
            let drawn = try #require(qrModules(text: text))
            guard case .offer(let read)? = Frame(Modules(drawn)).read() else {
                throw NotInTime(description: "not read: \(text)")
            }
            #expect(read.uppercased() == text.uppercased())
            var letters = Array(text)
            letters[20] = letters[20] == "A" ? "B" : "A"
            #expect(scanText(text: String(letters)) == .unusable(why: .DamagedLink))
        }
    }

    @Test("The joiner's QR and the recovery sheet of the vectors are known for what they are")
    func others() throws {
        let join = try #require(try vectors("join")["qr"] as? String)
        #expect(scanText(text: join) == .unusable(why: .IsJoin))
        let drawn = try #require(qrModules(text: join))
        #expect(Frame(Modules(drawn)).read() == .join(text: join))
        let sheet = try #require(try vectors("recovery")["text"] as? String)
        #expect(scanText(text: sheet) == .unusable(why: .IsSheet))
        #expect(qrModules(text: sheet) == nil, "no phone shows one")
    }
}
