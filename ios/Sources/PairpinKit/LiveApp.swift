// The open app and its present state, which every model follows.
import Foundation
import Observation
import Pairpin

/// The app, listened to once. A call into the core cannot be dropped from Swift, so there is one listener for the
/// app's whole life, and models come and go on this side of it.
@MainActor
@Observable
public final class LiveApp {
    /// The core.
    public nonisolated let app: PairpinApp

    /// What the screens show now.
    public private(set) var state: ScreenState
    /// The same, for who only looks: a screen that makes its model is not to be drawn anew by each change.
    @ObservationIgnored private(set) var now: ScreenState

    @ObservationIgnored private var followers: [Follower] = []

    /// Listens until ``end()``.
    public init(_ app: PairpinApp) {
        self.app = app
        let first = app.state()
        (state, now) = (first, first)
        let (states, feed) = AsyncStream.makeStream(of: ScreenState.self, bufferingPolicy: .bufferingNewest(1))
        Task { [weak self] in
            for await state in states { self?.changed(state) }
        }
        Task.detached {
            await app.listen(listener: Feed(feed))
            feed.finish()
        }
    }

    /// Tells `told` of the present state now, and of each change for as long as `owner` lives.
    public func follow<Owner: AnyObject>(_ owner: Owner, _ told: @escaping @MainActor (Owner, ScreenState) -> Void) {
        followers.append(
            Follower { [weak owner] state in
                guard let owner else { return false }
                told(owner, state)
                return true
            })
        told(owner, now)
    }

    /// Ends the app's connections and its listening. Nothing ends them otherwise.
    public func end() {
        app.cancel()
    }

    private func changed(_ new: ScreenState) {
        (state, now) = (new, new)
        // Whoever begins to follow meanwhile is told by that.
        let (told, before) = (followers, followers.count)
        let alive = told.filter { $0.tell(new) }
        followers = alive + followers.dropFirst(before)
    }

    private struct Follower {
        /// Whether there is still somebody to tell.
        let tell: @MainActor (ScreenState) -> Bool
    }

    private final class Feed: StateListener {
        private let feed: AsyncStream<ScreenState>.Continuation

        init(_ feed: AsyncStream<ScreenState>.Continuation) { self.feed = feed }

        func changed(state: ScreenState) { feed.yield(state) }
    }
}
