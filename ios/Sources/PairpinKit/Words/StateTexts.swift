// What the core's records are called on a screen.
import Foundation
import Pairpin

extension Texts {
    public func of(_ role: RoleName) -> String {
        switch role {
        case .viewer: self[.roleViewer]
        case .operator: self[.roleOperator]
        case .owner: self[.roleOwner]
        }
    }

    /// What a role may do.
    public func may(_ role: RoleName) -> String {
        switch role {
        case .viewer: self[.roleViewerMay]
        case .operator: self[.roleOperatorMay]
        case .owner: self[.roleOwnerMay]
        }
    }

    public func of(_ kind: AddressWord) -> String {
        switch kind {
        case .lan: self[.networkLan]
        case .tailnet: self[.networkTailnet]
        case .tunnel: self[.networkTunnel]
        case .public: self[.networkPublic]
        case .container: self[.networkContainer]
        case .loopback: self[.networkLoopback]
        case .advertised: self[.networkAdvertised]
        }
    }

    /// How a machine stands, in a line.
    public func of(_ condition: MachineCondition, now: Date = Date()) -> String {
        switch condition {
        case .unfinished: self[.conditionUnfinished]
        case .connecting: self[.conditionConnecting]
        case .online(_, let kind): say(.conditionOnline, ["kind": of(kind)])
        case .offline(nil, _): self[.conditionOffline]
        case .offline(let since?, _): say(.conditionOfflineSince, ["when": moment(since, now: now)])
        case .leaving: self[.conditionLeaving]
        case .forgotten: self[.conditionForgotten]
        case .paused: self[.conditionPaused]
        case .revoked(nil, _, _): self[.conditionRevoked]
        case .revoked(let by?, _, _): say(.conditionRevokedBy, ["by": by])
        case .keyChanged: self[.conditionKeyChanged]
        case .keyCopied: self[.conditionKeyCopied]
        case .suspended: self[.conditionSuspended]
        case .expired: self[.conditionExpired]
        case .lost: self[.conditionLost]
        case .keysGone: self[.conditionKeysGone]
        case .broken: self[.conditionBroken]
        }
    }

    /// More about how it stands, where there is more to say.
    public func more(_ condition: MachineCondition, now: Date = Date()) -> String? {
        let lines: [String?] =
            switch condition {
            case .offline(_, let why): [why]
            case .revoked(_, let at, let reason), .suspended(let at, let reason):
                [at.map { ago($0, now: now) }, reason.map { say(.reason, ["reason": $0]) }]
            case .forgotten(lastOwner: true): [self[.forgottenLastOwner]]
            case .broken(let why): [why]
            default: []
            }
        let said = lines.compactMap(\.self)
        return said.isEmpty ? nil : said.joined(separator: "\n")
    }

    public func of(_ holder: KeyHolder) -> String {
        switch holder {
        case .hardware: self[.keysHardware]
        case .keyring: self[.keysKeyring]
        case .file: self[.keysFile]
        }
    }

    public func of(_ action: ActionView) -> String {
        switch action {
        case .rename: self[.actionRename]
        case .forget: self[.actionForget]
        case .scanAgain: self[.actionScanAgain]
        case .answer: self[.actionAnswer]
        case .devices: self[.actionDevices]
        case .decide: self[.actionDecide]
        }
    }

    public func of(_ hindrance: Hindrance) -> String {
        switch hindrance {
        case .notConnected: self[.whyNotNotConnected]
        case .role(let least): say(.whyNotRole, ["role": of(least)])
        case .notPaired: self[.whyNotNotPaired]
        case .hardStop: self[.whyNotHardStop]
        case .notNeeded: self[.whyNotNotNeeded]
        case .forgetFirst: self[.whyNotForgetFirst]
        }
    }

    public func of(_ action: DeviceAction) -> String {
        switch action {
        case .revoke: self[.deviceRevoke]
        case .setRole: self[.deviceSetRole]
        case .lift: self[.deviceLift]
        case .forgetKey: self[.deviceForgetKey]
        }
    }

    public func of(_ hindrance: DeviceHindrance) -> String {
        switch hindrance {
        case .onItself: self[.deviceWhyNotOnItself]
        case .lastOwner: self[.deviceWhyNotLastOwner]
        case .notNeeded: self[.deviceWhyNotNotNeeded]
        }
    }

    /// How a device stands, in a line.
    public func of(_ device: DeviceView, now: Date = Date()) -> String {
        var parts = [of(device.role)]
        if device.thisPhone { parts.append(self[.deviceThisPhone]) }
        if device.connected > 0 {
            parts.append(self[.deviceConnected])
        } else if let seen = device.lastSeen {
            parts.append(say(.deviceLastSeen, ["when": ago(seen, now: now)]))
        } else {
            parts.append(self[.deviceNeverSeen])
        }
        if let why = device.suspended { parts.append(say(.deviceSuspended, ["why": why])) }
        if device.expired { parts.append(self[.deviceExpired]) }
        return parts.joined(separator: " · ")
    }

    public func of(_ ending: Ending) -> String {
        switch ending {
        case .yes(nil): self[.endedYes]
        case .yes(let by?): say(.endedYesBy, ["by": by])
        case .no(nil): self[.endedNo]
        case .no(let by?): say(.endedNoBy, ["by": by])
        case .withdrawn: self[.endedWithdrawn]
        case .expired: self[.endedExpired]
        case .unknown: self[.endedUnknown]
        }
    }

    /// What a machine tells.
    public func of(_ news: News) -> String {
        switch news {
        case .deviceAdded(let name, let role, let from, let again, _, _):
            say(again ? .newsAddedAgain : .newsAdded, ["name": name, "role": of(role), "from": from])
        case .deviceRevoked(let name, let by, _): say(.newsRevokedBy, ["name": name, "by": by])
        case .deviceChanged(let name, let role, let by):
            say(.newsChanged, ["name": name, "role": of(role), "by": by])
        case .alarm(let from, nil): say(.newsAlarm, ["from": from])
        case .alarm(let from, let name?): say(.newsAlarmName, ["from": from, "name": name])
        case .recoveryUsed(let from, let revoked):
            say(.newsRecovery, ["from": from, "revoked": String(revoked)])
        case .restored(let by, let revoked): say(.newsRestored, ["by": by, "revoked": String(revoked)])
        case .notice(nil, let text): text
        case .notice(let user?, let text): say(.newsNoticeUser, ["user": user, "text": text])
        }
    }

    /// What waits, in a line.
    public func of(_ item: InboxItem) -> String {
        switch item.request {
        case .ask: say(.inboxAsk, ["machine": item.machine])
        case .join(let name, _, _, _, _, _, _): say(.inboxJoin, ["name": name, "machine": item.machine])
        }
    }

    /// The question of a pairing.
    public func of(_ preview: PairPreview) -> String {
        switch preview.question {
        case .new, .alreadyPaired: say(.confirmNew, ["name": preview.name])
        case .again(let known): say(.confirmAgain, ["name": preview.name, "known": known])
        case .replaceKey(let known, _): say(.confirmReplaceKey, ["known": known])
        case .otherMachine(let known): say(.confirmOtherMachine, ["known": known])
        }
    }

    /// What a prompt for a face or a finger says.
    public func of(_ prompt: Prompt) -> String {
        switch prompt {
        case .bringKey: self[.promptBringKey]
        case .sayYes: self[.promptSayYes]
        case .letIn: self[.promptLetIn]
        case .invite: self[.promptInvite]
        case .revoke: self[.promptRevoke]
        case .change: self[.promptChange]
        }
    }

    /// What to do about the camera; none while it may be used.
    public func of(_ access: CameraAccess) -> String? {
        switch access {
        case .allowed: nil
        case .notAsked: self[.cameraNotAsked]
        case .refused: self[.cameraRefused]
        case .refusedForGood: self[.cameraRefusedForGood]
        case .noCamera: self[.cameraNone]
        }
    }

    /// What came of forgetting a machine.
    public func of(_ forgotten: Forgotten) -> String {
        var said =
            forgotten.stillListed.map { say(.forgottenStillListed, ["name": forgotten.name, "why": $0]) }
            ?? say(.forgotten, ["name": forgotten.name])
        if forgotten.lastOwner { said += " " + self[.forgottenLastOwner] }
        return said
    }

    /// How much waits.
    public func waiting(_ count: Int) -> String {
        self.count(count, one: .machinesWaitingOne, other: .machinesWaitingOther)
    }
}
