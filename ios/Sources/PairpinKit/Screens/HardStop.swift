// Hard stop: a machine that proves another key, or its key without what it gave this phone. Nothing here goes on by
// itself, and no button believes the new key: its offer has to be scanned from its own screen.
import Observation
import Pairpin

/// What the hard stop shows.
public enum HardStopScreen: Equatable, Sendable {
    /// It proves `seen` where it was known by the machine's fingerprint. Its actions are those of the screen.
    case changed(MachineView, seen: String)
    /// It has its key, and not what it gave this phone: a copy, or put back from a backup.
    case copied(MachineView)
    /// It is over: scanned again, forgotten, or the right one answers.
    case over
}

/// Follows the machine of `row`.
@MainActor
@Observable
public final class HardStopModel {
    /// What to show now.
    public private(set) var screen: HardStopScreen = .over

    public init(_ live: LiveApp, row: Int64) {
        live.follow(self) { model, state in
            let machine = state.machine(row)
            model.screen =
                switch (machine?.condition, machine) {
                case (.keyChanged(let seen), let machine?): .changed(machine, seen: seen)
                case (.keyCopied, let machine?): .copied(machine)
                default: .over
                }
        }
    }
}
