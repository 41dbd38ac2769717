// What is told to a person who does not look at the app: that something waits, never what it says, and no way to
// answer it from there.
import Pairpin

/// Something waits on a machine.
public struct Notice: Hashable, Sendable {
    public enum Kind: Sendable { case ask, join }

    public let row: Int64
    public let id: String
    public let machine: String
    public let kind: Kind
}

/// Implemented over the platform's notifications by the app.
@MainActor
public protocol Notices: AnyObject {
    /// Tells it; a tap opens the request.
    func tell(_ notice: Notice)

    /// It is over.
    func withdraw(_ notice: Notice)
}

/// Tells of everything that waits, and withdraws it when it is over, for as long as it lives.
@MainActor
public final class NoticesModel {
    private let notices: any Notices
    private var told: Set<Notice> = []

    public init(_ live: LiveApp, _ notices: any Notices) {
        self.notices = notices
        live.follow(self) { model, state in model.changed(state) }
    }

    private func changed(_ state: ScreenState) {
        let waiting = Set(
            state.inbox.map { item in
                let kind: Notice.Kind = if case .ask = item.request { .ask } else { .join }
                return Notice(row: item.row, id: item.id, machine: item.machine, kind: kind)
            })
        for notice in told.subtracting(waiting) { notices.withdraw(notice) }
        for notice in waiting.subtracting(told) { notices.tell(notice) }
        told = waiting
    }
}

extension Texts {
    /// What a notice says.
    public func of(_ notice: Notice) -> String {
        say(notice.kind == .ask ? .noticeAsk : .noticeJoin, ["machine": notice.machine])
    }
}
