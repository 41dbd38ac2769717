// The inbox: what waits for an answer on every machine, how things ended, and what the machines tell.
import Observation
import Pairpin

/// Something that was shown as waiting, and how it ended.
public struct EndedItem: Equatable, Sendable {
    public let item: InboxItem
    public let how: Ending
}

/// Follows the app's state.
@MainActor
@Observable
public final class InboxModel {
    /// What waits, soonest over first.
    public private(set) var waiting: [InboxItem] = []
    /// What ended since the screen was opened, the latest first.
    public private(set) var ended: [EndedItem] = []
    /// What the machines tell and nobody has to answer, the latest first.
    public private(set) var news: [NewsView] = []

    @ObservationIgnored private var seen: [Place: InboxItem] = [:]

    public init(_ live: LiveApp) {
        live.follow(self) { model, state in model.changed(state) }
    }

    private func changed(_ state: ScreenState) {
        for item in state.inbox { seen[Place(row: item.row, id: item.id)] = item }
        let ends = state.ended.map { (Place(row: $0.row, id: $0.id), $0.how) }
        // What neither waits nor is kept as ended is of no use any more.
        let kept = Set(state.inbox.map { Place(row: $0.row, id: $0.id) } + ends.map(\.0))
        seen = seen.filter { kept.contains($0.key) }
        waiting = state.inbox
        ended = ends.compactMap { place, how in seen[place].map { EndedItem(item: $0, how: how) } }.reversed()
        news = state.news.reversed()
    }

    private struct Place: Hashable {
        let row: Int64
        let id: String
    }
}
