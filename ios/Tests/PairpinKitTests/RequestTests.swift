// The inbox: what machines ask, who asks to be let in, and the person's yes and no.
import Foundation
import Pairpin
import PairpinKit
import Testing

extension RequestModel {
    /// Waits until it is over; how.
    func ends() async throws -> Ending {
        try await shown("over, not \(screen)") { if case .over(let how, _, _) = self.screen { how } else { nil } }
    }

    /// Waits until it is open again, with a hint.
    func hints() async throws -> Hint {
        try await shown("a hint, not \(screen)") { if case .open(_, _, let hint) = self.screen { hint } else { nil } }
    }

    /// Waits for the digits.
    func digits() async throws -> String {
        try await shown("digits, not \(screen)") {
            if case .showDigits(let digits, _) = self.screen { digits } else { nil }
        }
    }
}

@MainActor
@Suite struct RequestTests {
    /// A machine, and a phone that may answer what it asks.
    private func asked(_ scene: Scene) async throws -> (Machine, Hand) {
        let machine = try await scene.machine()
        let hand = try await scene.paired(machine)
        try await hand.mayAnswer()
        return (machine, hand)
    }

    @Test("inbox-two-machines: one inbox, soonest over first, and what is answered has ended")
    func inboxTwoMachines() async throws {
        try await scene { scene in
            let (first, hand) = try await asked(scene)
            let second = try await scene.machine("cellar")
            try await hand.mayAnswer(try await hand.pairs(second))
            let inbox = InboxModel(hand.live)
            _ = try scene.asks(first, "Later?", "--timeout", "90s")
            try await shown("the first") { inbox.waiting.count == 1 ? true : nil }
            _ = try scene.asks(second, "Sooner?", "--timeout", "40s")
            try await shown("both") { inbox.waiting.count == 2 ? true : nil }
            #expect(inbox.waiting.map(\.machine) == ["cellar", "homebox"])
            let soon = inbox.waiting[0]
            RequestModel(hand.live, hand.approver, row: soon.row, id: soon.id).no()
            try await shown("ended") { inbox.ended.count == 1 && inbox.waiting.count == 1 ? true : nil }
            #expect(inbox.ended[0].item == soon)
            guard case .no = inbox.ended[0].how else { throw NotInTime(description: "\(inbox.ended)") }
        }
    }

    @Test("notices: that something waits, not what, and withdrawn when it is over")
    func notices() async throws {
        try await scene { scene in
            let (machine, hand) = try await asked(scene)
            let notices = MemoryNotices()
            let model = NoticesModel(hand.live, notices)
            let ask = try scene.asks(machine, "Deploy build 241?")
            let told = try await shown("a notice") { notices.standing.first }
            #expect(told.machine == "homebox" && told.kind == .ask)
            for texts in Texts.languages.map(Texts.init(language:)) { #expect(!texts.of(told).contains("241")) }
            ask.kill()
            try await shown("withdrawn") { notices.standing.isEmpty ? true : nil }
            withExtendedLifetime(model) {}
        }
    }

    @Test("news: it stands in the inbox under the machine's name")
    func news() async throws {
        try await scene { scene in
            let (machine, hand) = try await asked(scene)
            let inbox = InboxModel(hand.live)
            try await machine.run("notify", "Backup done")
            let news = try await shown("the news") {
                inbox.news.first { if case .notice(_, "Backup done") = $0.news { true } else { false } }
            }
            #expect(news.machine == "homebox")
        }
    }

    @Test("ask-facts: three kinds of facts apart, and a yes is the exit code 0")
    func askFacts() async throws {
        try await scene { scene in
            let (machine, hand) = try await asked(scene)
            let ask = try scene.asks(machine, "Deploy build 241?")
            let request = try await hand.opens()
            guard case .open(let item, _, _) = request.screen,
                case .ask(let known, let observed, let claimed) = item.request
            else { throw NotInTime(description: "\(request.screen)") }
            #expect(claimed.text == "Deploy build 241?" && observed.arguments.contains("Deploy build 241?"))
            #expect(known.uid == getuid())
            request.yes()
            #expect(try await request.ends() == .yes(by: "Ana's phone"))
            #expect(hand.keys.prompts == [.sayYes], "the person was asked once")
            #expect(try await ask.exit() == 0)
        }
    }

    @Test("ask-no: no fingerprint, and the exit code 1")
    func askNo() async throws {
        try await scene { scene in
            let (machine, hand) = try await asked(scene)
            let ask = try scene.asks(machine, "Deploy?")
            let request = try await hand.opens()
            request.no()
            guard case .no = try await request.ends() else { throw NotInTime(description: "\(request.screen)") }
            #expect(try await ask.exit() == 1)
            #expect(hand.keys.prompts.isEmpty)
        }
    }

    @Test("withdrawn: who asked goes away while it is open")
    func withdrawn() async throws {
        try await scene { scene in
            let (machine, hand) = try await asked(scene)
            let ask = try scene.asks(machine, "Deploy?")
            let request = try await hand.opens()
            ask.kill()
            #expect(try await request.ends() == .withdrawn)
        }
    }

    @Test("answered-elsewhere: what was answered, and by which device")
    func answeredElsewhere() async throws {
        try await scene { scene in
            let (machine, hand) = try await asked(scene)
            let other = try await scene.paired(machine, "Ben's phone")
            let ask = try scene.asks(machine, "Deploy?")
            let (here, there) = (try await hand.opens(), try await other.opens())
            there.no()
            #expect(try await here.ends() == .no(by: "Ben's phone"))
            #expect(try await ask.exit() == 1)
        }
    }

    @Test("request-expired: it says so, and a yes after that decides nothing")
    func requestExpired() async throws {
        try await scene { scene in
            let (machine, hand) = try await asked(scene)
            let ask = try scene.asks(machine, "Deploy?", "--timeout", "10s")
            let request = try await hand.opens()
            #expect(try await request.ends() == .expired)
            #expect(try await ask.exit() == 3)
            request.yes()
            guard case .over(.expired, _, _) = request.screen else {
                throw NotInTime(description: "\(request.screen)")
            }
            #expect(hand.keys.prompts.isEmpty)
        }
    }

    @Test("request-unknown: it is looked for, and then it is over")
    func requestUnknown() async throws {
        try await scene { scene in
            let (_, hand) = try await asked(scene)
            let stale = RequestModel(
                hand.live, hand.approver, row: hand.row, id: "long ago", patience: .milliseconds(50))
            #expect(stale.screen == .looking)
            #expect(try await stale.ends() == .unknown)
            stale.yes()
            #expect(hand.keys.prompts.isEmpty)
        }
    }

    @Test("key-not-made: it says so, and once the chip works the next decision counts")
    func keyNotMade() async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            let hand = try await scene.paired(machine)
            hand.keys.works = false
            let invite = InviteModel(hand.live, hand.approver, row: hand.row)
            invite.invite(.viewer)
            try await shown("the hint, not \(invite.screen)") {
                if case .choosing(.keyNotMade) = invite.screen { true } else { nil }
            }
            #expect(hand.keys.prompts.isEmpty)
            hand.keys.works = true
            invite.invite(.viewer)
            try await shown("an offer, not \(invite.screen)") {
                if case .shown = invite.screen { true } else { nil }
            }
        }
    }

    @Test("approval-key-brought: by a prompt of its own, once")
    func approvalKeyBrought() async throws {
        try await scene { scene in
            let machine = try await scene.machine()
            let hand = try await scene.paired(machine)
            for (prompts, role) in [([Prompt.bringKey, .letIn], RoleName.viewer), ([.letIn], .viewer)] {
                hand.keys.prompts = []
                let laptop = try scene.joiner(machine)
                let number = try await member(laptop.line("\"asked\""), "number")
                let request = try await hand.opens()
                request.letIn(byNumber: number, Terms(role: role, name: nil, hours: nil))
                try laptop.type(try await request.digits())
                #expect(try await laptop.exit() == 0)
                #expect(hand.keys.prompts == prompts)
                try await shown("an empty inbox") { hand.live.state.inbox.isEmpty ? true : nil }
            }
        }
    }

    @Test("fingerprint-cancelled: nothing was sent, it is still open, and the next yes counts")
    func fingerprintCancelled() async throws {
        try await scene { scene in
            let (machine, hand) = try await asked(scene)
            let ask = try scene.asks(machine, "Deploy?")
            let request = try await hand.opens()
            hand.keys.person = .dismisses
            request.yes()
            #expect(try await request.hints() == .cancelled)
            #expect(hand.live.state.inbox.count == 1 && ask.isRunning)
            hand.keys.person = .saysYes
            request.yes()
            #expect(try await request.ends() == .yes(by: "Ana's phone"))
            #expect(try await ask.exit() == 0)
        }
    }

    @Test("fingerprint-enrolled: the key is gone, and after the way back a yes counts")
    func fingerprintEnrolled() async throws {
        try await scene { scene in
            let (machine, hand) = try await asked(scene)
            hand.keys.enrolAFinger()
            let first = try scene.asks(machine, "Deploy?")
            let request = try await hand.opens()
            request.yes()
            #expect(try await request.hints() == .keyGone)
            request.no()
            #expect(try await first.exit() == 1)
            // The machine's shell lets it bring another; so does another owner, and a fresh offer.
            try await machine.run("devices", "set", "Ana's phone", "--forget-approval-key")
            try await shown("an empty inbox") { hand.live.state.inbox.isEmpty ? true : nil }
            try await hand.online()
            let laptop = try scene.joiner(machine)
            let number = try await member(laptop.line("\"asked\""), "number")
            let join = try await hand.opens()
            join.letIn(byNumber: number, Terms(role: .viewer, name: nil, hours: nil))
            try laptop.type(try await join.digits())
            #expect(try await laptop.exit() == 0)
            #expect(hand.keys.prompts == [.bringKey, .letIn])
        }
    }

    @Test("no-screen-lock: nobody can approve with it, and a no works")
    func noScreenLock() async throws {
        try await scene { scene in
            let (machine, hand) = try await asked(scene)
            let ask = try scene.asks(machine, "Deploy?")
            let request = try await hand.opens()
            hand.keys.locked = false
            request.yes()
            #expect(try await request.hints() == .noScreenLock)
            #expect(hand.keys.prompts.isEmpty && ask.isRunning)
            request.no()
            #expect(try await ask.exit() == 1)
        }
    }
}
