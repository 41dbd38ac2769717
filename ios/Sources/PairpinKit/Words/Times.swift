// Times as people say them. The core gives milliseconds since 1970.
import Foundation

extension Texts {
    /// How long ago that was.
    public func ago(_ milliseconds: Int64, now: Date = Date()) -> String {
        let minutes = (Self.milliseconds(now) - milliseconds) / 60_000
        // Also what the other clock has in the future, by a little.
        guard minutes > 0 else { return self[.timeNow] }
        return amount(
            minutes, (.timeMinutesOne, .timeMinutesOther), (.timeHoursOne, .timeHoursOther),
            (.timeDaysOne, .timeDaysOther))
    }

    /// How long it is until then.
    public func until(_ milliseconds: Int64, now: Date = Date()) -> String {
        let minutes = (milliseconds - Self.milliseconds(now)) / 60_000
        guard minutes > 0 else { return self[.timeSoon] }
        return amount(
            minutes, (.timeInMinutesOne, .timeInMinutesOther), (.timeInHoursOne, .timeInHoursOther),
            (.timeInDaysOne, .timeInDaysOther))
    }

    /// The time of the day, with the day where it is another.
    public func moment(_ milliseconds: Int64, now: Date = Date()) -> String {
        let then = Date(timeIntervalSince1970: Double(milliseconds) / 1000)
        let format = DateFormatter()
        format.locale = Locale(identifier: language)
        format.timeStyle = .short
        format.dateStyle = Calendar.current.isDate(then, inSameDayAs: now) ? .none : .medium
        return format.string(from: then)
    }

    /// Seconds that are left, as on a clock.
    public func left(_ seconds: UInt64) -> String {
        let (minutes, rest) = seconds.quotientAndRemainder(dividingBy: 60)
        return "\(minutes):" + (rest < 10 ? "0" : "") + "\(rest)"
    }

    private typealias Forms = (one: TextKey, other: TextKey)

    private func amount(_ minutes: Int64, _ inMinutes: Forms, _ inHours: Forms, _ inDays: Forms) -> String {
        let (number, forms) =
            switch minutes {
            case ..<60: (minutes, inMinutes)
            case ..<1440: (minutes / 60, inHours)
            default: (minutes / 1440, inDays)
            }
        return count(Int(number), one: forms.one, other: forms.other)
    }

    private static func milliseconds(_ date: Date) -> Int64 { Int64(date.timeIntervalSince1970 * 1000) }
}
