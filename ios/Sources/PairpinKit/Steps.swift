// What every model does: run what a person asked for without ever ending the app, and count seconds down.
import Foundation
import Pairpin

/// Runs `work`; what goes wrong is handed to `failed`. A step that was cancelled says nothing more.
///
/// The core goes on with a call that nobody waits for any more; `work` looks, after each call, whether it was
/// cancelled, by ``kept(_:)``.
@MainActor
func step(
    _ failed: @escaping @MainActor (PairpinError) -> Void, _ work: @escaping @MainActor () async throws -> Void
) -> Task<Void, Never> {
    Task { @MainActor in
        do {
            try await work()
        } catch {
            if !Task.isCancelled { failed(known(error)) }
        }
    }
}

/// The answer, unless the step was cancelled while the core worked on it.
@MainActor
func kept<Answer: Sendable>(_ call: () async throws -> Answer) async throws -> Answer {
    let answer = try await call()
    try Task.checkCancellation()
    return answer
}

/// The error as a person is told of it; a defect of the core is one that ends nothing.
func known(_ error: any Error) -> PairpinError {
    error as? PairpinError ?? .State(why: "a step of the app failed, start it again")
}

/// Counts down from `seconds`: `left` is told at once and whenever a second is over, at last of 0.
@MainActor
func countDown(_ seconds: UInt64, left: @MainActor (UInt64) -> Void) async throws {
    // It goes on while the phone sleeps, as the machine's does.
    let clock = ContinuousClock()
    let end = clock.now + .seconds(seconds)
    while true {
        let rest = max(.zero, end - clock.now)
        let whole = UInt64(rest.components.seconds)
        let part = rest.components.attoseconds
        left(part == 0 ? whole : whole + 1)
        if rest == .zero { return }
        try await clock.sleep(for: part == 0 ? .seconds(1) : Duration(secondsComponent: 0, attosecondsComponent: part))
    }
}

/// Without the spaces around it; nothing where that leaves nothing.
func trimmed(_ text: String?) -> String? {
    let text = text?.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
    return text.isEmpty ? nil : text
}
