// Links that open the app. They bring a text to the scanner's door, and pair nothing by themselves.
import Foundation

/// A `pairpin:` link, in any case of letters: some cameras write all of it large.
public enum DeepLink {
    /// The scheme, which the app's `Info.plist` registers.
    public static let scheme = "pairpin"

    /// The text to look at, as if it had been pasted; none where the link is nobody's of ours.
    public static func text(of url: URL) -> String? {
        guard let scheme = url.scheme, scheme.lowercased() == Self.scheme else { return nil }
        return url.absoluteString
    }
}
