// The texts: complete in every language, nothing outside of them, and what is put into them.
import Foundation
import Pairpin
import Testing

@testable import PairpinKit

/// The package's own directory.
private let package = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

private func source(_ path: String) throws -> String {
    try String(contentsOf: package.appendingPathComponent(path), encoding: .utf8)
}

private func sources(_ directory: String) throws -> [(name: String, text: String)] {
    let place = package.appendingPathComponent(directory)
    let files = FileManager.default.enumerator(at: place, includingPropertiesForKeys: nil)?.compactMap { $0 as? URL }
    return try (files ?? []).filter { $0.pathExtension == "swift" }.map {
        ($0.lastPathComponent, try String(contentsOf: $0, encoding: .utf8))
    }
}

/// What stands in braces.
private func blanks(_ text: String) -> Set<String> {
    Set(text.matches(of: /\{([a-z]+)\}/).map { String($0.1) })
}

/// Every text of a view that is written there and not in the tables.
private func strays(_ text: String) -> [String] {
    let shown =
        /(Text|Button|Label|Section|LabeledContent|TextField|Toggle|Picker|ProgressView|navigationTitle|accessibilityLabel|alert|confirmationDialog|ContentUnavailableView|NavigationLink)\(\s*"([^"]*)"/
    return text.matches(of: shown).map { String($0.2) }
}

@Suite struct TextTests {
    @Test("Every text is there in every language, with the same blanks, and no other is", arguments: Texts.languages)
    func complete(language: String) throws {
        let table = Texts(language: language).table
        #expect(Set(table.keys) == Set(TextKey.allCases.map(\.rawValue)))
        #expect(table.values.allSatisfy { !$0.trimmingCharacters(in: .whitespaces).isEmpty })
        let english = Texts(language: "en").table
        for (key, text) in table { #expect(blanks(text) == blanks(english[key] ?? ""), "\(key)") }
    }

    @Test("The German table is not the English one")
    func translated() {
        let (english, german) = (Texts(language: "en").table, Texts(language: "de").table)
        let same = german.filter { english[$0.key] == $0.value && $0.value.contains(" ") }
        #expect(
            Set(same.keys) == ["machinesEmptyCommand", "conditionOnline", "settingsVersion", "newsNoticeUser"])
    }

    @Test("Every error of the face has its text, with the next step, in every language", arguments: Texts.languages)
    func errors(language: String) throws {
        let face = try source("Sources/Pairpin/Pairpin.swift")
        let start = try #require(face.range(of: "enum PairpinError: Swift.Error"))
        let body = face[start.upperBound...].prefix(while: { $0 != "}" })
        let variants = body.matches(of: /\n    case ([A-Za-z]+)/).map { String($0.1) }
        #expect(variants.count > 35)
        let table = Texts(language: language).table
        for variant in variants {
            let text = try #require(table["error" + variant], "\(variant) has no text")
            #expect(text.matches(of: /[.!?](\s|$)/).count >= 2 || text.contains(": "), "no next step: \(text)")
        }
    }

    @Test("Nothing of what the app shows stands outside the tables")
    func noStrays() throws {
        let all = try sources("App")
        #expect(all.count > 15)
        for (name, text) in all { #expect(strays(text).isEmpty, "\(name)") }
        #expect(strays("Button(\"Go\") {}") == ["Go"], "control")
    }

    @Test("Every text is used")
    func used() throws {
        let all = try (sources("App") + sources("Sources/PairpinKit")).filter { $0.name != "TextKey.swift" }
        let text = all.map(\.text).joined()
        let words = Set(text.matches(of: /\.([a-z][A-Za-z]+)/).map { String($0.1) })
        let idle = TextKey.allCases.map(\.rawValue).filter { !words.contains($0) }
        #expect(idle.isEmpty)
    }

    @Test("Why iOS is asked for the camera, the network and the face is told in every language")
    func usages() throws {
        let keys = ["NSCameraUsageDescription", "NSFaceIDUsageDescription", "NSLocalNetworkUsageDescription"]
        for place in ["App/Info.plist"] + Texts.languages.map({ "App/\($0).lproj/InfoPlist.strings" }) {
            let data = try Data(contentsOf: package.appendingPathComponent(place))
            let read = try PropertyListSerialization.propertyList(from: data, format: nil) as? [String: Any]
            for key in keys { #expect((read?[key] as? String)?.isEmpty == false, "\(place): \(key)") }
        }
    }

    @Test("The scheme that the app registers is the one that it takes")
    func scheme() throws {
        let data = try Data(contentsOf: package.appendingPathComponent("App/Info.plist"))
        let plist = try #require(try PropertyListSerialization.propertyList(from: data, format: nil) as? [String: Any])
        let types = try #require(plist["CFBundleURLTypes"] as? [[String: Any]])
        #expect(types.flatMap { $0["CFBundleURLSchemes"] as? [String] ?? [] } == [DeepLink.scheme])
    }

    @Test("What a machine says is put in as it is, and read as nothing else")
    func say() {
        let texts = Texts(language: "en")
        #expect(texts.say(.paired, ["name": "{why} {name}"]) == "Paired with {why} {name}.")
        #expect(texts.say(.forgetTitle, ["name": "a{b"]) == "Forget a{b?")
        #expect(texts.say(.paired, [:]) == "Paired with .")
    }

    @Test("A locked key store says what to do, in the person's language")
    func faults() throws {
        struct Locked: Vault {
            func read(_ name: String) throws(VaultFault) -> Data? { throw .locked }
            func write(_ name: String, _ secret: Data) throws(VaultFault) { throw .other(-50) }
            func remove(_ name: String) throws(VaultFault) {}
        }
        let store = VaultStore(Locked(), isHardware: true, texts: Texts(language: "de"))
        #expect(store.holder() == .hardware)
        #expect(throws: StoreError.Failed(why: "das Telefon ist gesperrt: Entsperre es, dann versuche es noch einmal"))
        {
            try store.get(name: "a")
        }
        #expect(throws: StoreError.self) { try store.put(name: "a", secret: Data()) }
        #expect(throws: Never.self) { try store.delete(name: "a") }
    }

    @Test(
        "How long ago, and how long still",
        arguments: [
            (0, "just now", "in less than a minute"), (1, "1 minute ago", "in 1 minute"),
            (59, "59 minutes ago", "in 59 minutes"), (60, "1 hour ago", "in 1 hour"),
            (1439, "23 hours ago", "in 23 hours"), (1440, "1 day ago", "in 1 day"),
            (14400, "10 days ago", "in 10 days"),
        ])
    func times(minutes: Int64, ago: String, until: String) {
        let (texts, now) = (Texts(language: "en"), Date(timeIntervalSince1970: 1_800_000_000))
        let at: Int64 = 1_800_000_000_000
        #expect(texts.ago(at - minutes * 60_000, now: now) == ago)
        #expect(texts.until(at + minutes * 60_000, now: now) == until)
        #expect(texts.ago(at + 90_000, now: now) == "just now", "the other clock may be a little ahead")
        #expect(texts.left(125) == "2:05" && texts.left(9) == "0:09")
    }

    @Test("A deep link is known in any case of letters, and others are nobody's")
    func deepLinks() throws {
        for text in ["pairpin:ABC", "PAIRPIN:ABC", "PairPin:abc"] {
            #expect(DeepLink.text(of: try #require(URL(string: text)))?.count == text.count)
        }
        for text in ["https://pairpin.example/", "pairpin2:ABC", "pair:ABC"] {
            #expect(DeepLink.text(of: try #require(URL(string: text))) == nil)
        }
    }
}
