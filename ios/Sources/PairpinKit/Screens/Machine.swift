// One machine: how it stands, what may be done with it, its name here, and forgetting it.
import Observation
import Pairpin

/// What the person does with the machine.
public enum MachineStep: Equatable, Sendable {
    /// Looks at it.
    case looking
    /// Types another name.
    case renaming
    /// Is asked whether to forget it.
    case askedToForget
    /// Waits for what was asked.
    case working
}

/// What the screen of a machine shows.
public enum MachineScreen: Equatable, Sendable {
    /// It, with its actions and why one is not to be had; `problem` is what the last attempt came to.
    case shown(MachineView, step: MachineStep = .looking, problem: PairpinError? = nil)
    /// Forgotten just now: whether the machine was told, and whether this phone was its last owner.
    case over(Forgotten)
    /// It is not in the list any more.
    case gone
}

/// Follows one machine.
@MainActor
@Observable
public final class MachineModel {
    /// What to show now.
    public private(set) var screen: MachineScreen = .gone

    private let live: LiveApp
    private let row: Int64

    public init(_ live: LiveApp, row: Int64) {
        self.live = live
        self.row = row
        if let machine = live.now.machine(row) { screen = .shown(machine) }
        live.follow(self) { model, state in model.changed(state) }
    }

    /// The person taps Rename.
    public func rename() { turn(to: .renaming) }

    /// The new name was typed.
    public func rename(to name: String) {
        work(backTo: .renaming) { [live, row] model in
            model.screen = .shown(try await live.app.rename(row: row, name: name))
        }
    }

    /// The person taps Forget: is asked.
    public func forget() { turn(to: .askedToForget) }

    /// The person is sure. Also while the machine is away: it is told as soon as it answers.
    public func forgetForSure() {
        guard case .shown(_, .askedToForget, _) = screen else { return }
        work(backTo: .looking) { [live, row] model in
            model.screen = .over(try await live.app.forget(row: row))
        }
    }

    /// The person changed their mind, or has read what went wrong.
    public func back() { turn(to: .looking) }

    private func changed(_ state: ScreenState) {
        guard case .shown(_, let step, let problem) = screen else { return }
        if let machine = state.machine(row) {
            screen = .shown(machine, step: step, problem: problem)
        } else if step != .working {
            // While it is forgotten here, what came of it is told by that.
            screen = .gone
        }
    }

    private func turn(to step: MachineStep) {
        guard case .shown(let machine, let present, _) = screen, present != .working else { return }
        screen = .shown(machine, step: step)
    }

    private func work(backTo: MachineStep, _ work: @escaping @MainActor (MachineModel) async throws -> Void) {
        guard case .shown(let machine, let present, _) = screen, present != .working else { return }
        screen = .shown(machine, step: .working)
        _ = step({ error in
            guard case .shown(let machine, _, _) = self.screen else { return }
            self.screen = .shown(machine, step: backTo, problem: error)
        }) { try await work(self) }
    }
}

extension ScreenState {
    /// The machine of that row.
    func machine(_ row: Int64) -> MachineView? { machines.first { $0.row == row } }
}
