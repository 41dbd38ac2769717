// The texts of one language, and what is put into them.
import Foundation

/// What the app says, in one language. Every text of the app comes from here.
public struct Texts: Sendable {
    /// The languages that are complete.
    public static let languages = ["en", "de"]

    /// Those of the phone's language, English where it is none of ours.
    public static let ofThePhone = Texts(
        language: Bundle.preferredLocalizations(from: languages, forPreferences: Locale.preferredLanguages).first
            ?? "en")

    /// The language's code.
    public let language: String
    let table: [String: String]

    /// Those of a language of ours.
    public init(language: String) {
        self.language = language
        table = Self.table(of: language)
    }

    /// A text in which nothing is put.
    public subscript(_ key: TextKey) -> String { table[key.rawValue] ?? key.rawValue }

    /// A text with what stands for `{name}` and the like. What a machine or a device says is put in as it is, and
    /// read as nothing else.
    public func say(_ key: TextKey, _ values: [String: String]) -> String {
        var rest = Substring(self[key])
        var said = ""
        while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
            said += rest[..<open]
            let name = String(rest[rest.index(after: open)..<close])
            said += values[name] ?? ""
            rest = rest[rest.index(after: close)...]
        }
        return said + rest
    }

    /// A text that differs for one and for more.
    func count(_ number: Int, one: TextKey, other: TextKey) -> String {
        number == 1 ? self[one] : say(other, ["count": String(number)])
    }

    private static func table(of language: String) -> [String: String] {
        guard
            let file = Bundle.module.url(
                forResource: "Localizable", withExtension: "strings", subdirectory: nil, localization: language),
            let data = try? Data(contentsOf: file),
            let list = try? PropertyListSerialization.propertyList(from: data, format: nil)
        else { return [:] }
        return list as? [String: String] ?? [:]
    }
}
