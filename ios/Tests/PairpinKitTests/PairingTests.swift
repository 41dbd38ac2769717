import Foundation
import Pairpin
import Testing

@Suite struct PairingTests {
    @Test("pair: scanned, confirmed, online")
    func pair() async throws {
        let machine = try await Machine.start()
        let phone = try Phone()
        let app = try await phone.open()
        #expect(app.state().machines.isEmpty)
        let pairing = try await app.preview(link: machine.offer())
        #expect(app.state().machines.isEmpty, "nothing is paired before the person says yes")
        let paired = try await pairing.pair()
        #expect(paired.digits?.count == 4)
        try await app.reaches("the machine is online") { state in
            if case .online = state.machines.first?.condition { return true }
            return nil
        }
        app.cancel()
    }
}
