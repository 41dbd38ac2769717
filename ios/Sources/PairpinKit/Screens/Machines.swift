// The first screen: every machine, or, while there is none, how to get one.
import Observation
import Pairpin

/// What the screen of machines shows.
public enum MachinesScreen: Equatable, Sendable {
    /// Nothing is paired: the screen teaches `pairpin serve`.
    case empty
    /// The machines, in the order in which they were paired, and how much waits in the inbox.
    case listed([MachineView], waiting: Int)
}

/// Follows the app's state.
@MainActor
@Observable
public final class MachinesModel {
    /// What to show now.
    public private(set) var screen: MachinesScreen = .empty

    public init(_ live: LiveApp) {
        live.follow(self) { model, state in
            model.screen =
                state.machines.isEmpty ? .empty : .listed(state.machines, waiting: state.inbox.count)
        }
    }
}
