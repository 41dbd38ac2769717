// Every error, as a person is told of it: the cause, and the next step.
import Pairpin

extension Texts {
    /// The error's text.
    public func of(_ error: PairpinError) -> String {
        switch error {
        case .NotOurs: self[.errorNotOurs]
        case .DamagedLink: self[.errorDamagedLink]
        case .IsJoin: self[.errorIsJoin]
        case .IsSheet: self[.errorIsSheet]
        case .Version: self[.errorVersion]
        case .OfferExpired: self[.errorOfferExpired]
        case .OfferUsed: self[.errorOfferUsed]
        case .OfferWithdrawn: self[.errorOfferWithdrawn]
        case .OfferUnknown: self[.errorOfferUnknown]
        case .NotReachable(let name, let tried, let networks):
            say(.errorNotReachable, ["name": machine(name), "tried": list(tried), "networks": list(networks)])
        case .Interrupted(let name): say(.errorInterrupted, ["name": machine(name)])
        case .NotPairpin(let address): say(.errorNotPairpin, ["address": address])
        case .KeyChanged(let name, let seen): say(.errorKeyChanged, ["name": machine(name ?? ""), "seen": seen])
        case .KeyReplaced(let name): say(.errorKeyReplaced, ["name": machine(name)])
        case .KeyCopied(let name): say(.errorKeyCopied, ["name": machine(name)])
        case .Revoked(let name, _, _, let reason):
            say(.errorRevoked, ["name": machine(name)]) + (reason.map { " " + say(.reason, ["reason": $0]) } ?? "")
        case .Suspended(let name): say(.errorSuspended, ["name": machine(name)])
        case .SessionEnded(let name, nil): say(.errorSessionEnded, ["name": machine(name)])
        case .SessionEnded(let name, let skew?):
            say(.errorSessionEndedClock, ["name": machine(name), "minutes": String(abs(skew) / 60)])
        case .PairAgain(let name): say(.errorPairAgain, ["name": machine(name)])
        case .CodeWrong(let triesLeft): say(.errorCodeWrong, ["tries": String(triesLeft)])
        case .NotACode: self[.errorNotACode]
        case .CodeClosed: self[.errorCodeClosed]
        case .TooLate: self[.errorTooLate]
        case .JoinRefused: self[.errorJoinRefused]
        case .NotThatJoin: self[.errorNotThatJoin]
        case .NotOurMachine: self[.errorNotOurMachine]
        case .JoinerRevoked(let name): say(.errorJoinerRevoked, ["name": machine(name)])
        case .NotAllowed(let name, let role): say(.errorNotAllowed, ["name": machine(name), "role": of(role)])
        case .NoApprovalKey(let name): say(.errorNoApprovalKey, ["name": machine(name)])
        case .Gone: self[.errorGone]
        case .LastOwner(let name): say(.errorLastOwner, ["name": machine(name)])
        case .OnItself: self[.errorOnItself]
        case .Full: self[.errorFull]
        case .MachineFailed: self[.errorMachineFailed]
        case .Cancelled: self[.errorCancelled]
        case .Address: self[.errorAddress]
        case .Name: self[.errorName]
        case .NoSuchMachine: self[.errorNoSuchMachine]
        case .KeysGone(let name): say(.errorKeysGone, ["name": machine(name)])
        case .Keys(let why): say(.errorKeys, ["why": why])
        case .StateDamaged(let why): say(.errorStateDamaged, ["why": why])
        case .State(let why): say(.errorState, ["why": why])
        }
    }

    /// A fault of the phone's key store.
    public func of(_ fault: VaultFault) -> String {
        switch fault {
        case .locked: self[.vaultLocked]
        case .keyIsThere: self[.vaultKeyIsThere]
        case .keyIsGone: self[.vaultKeyIsGone]
        case .other(let code): say(.vaultOther, ["code": String(code)])
        }
    }

    /// Why something is still to be decided.
    public func of(_ hint: Hint) -> String {
        switch hint {
        case .cancelled: self[.hintCancelled]
        case .noScreenLock: self[.hintNoScreenLock]
        case .keyNotMade: self[.hintKeyNotMade]
        case .keyGone: self[.hintKeyGone]
        case .noNumber: self[.hintNoNumber]
        case .failed(let error): of(error)
        }
    }

    private func machine(_ name: String) -> String { name.isEmpty ? self[.unknownName] : name }

    private func list(_ items: [String]) -> String {
        items.isEmpty ? self[.nothing] : items.joined(separator: "; ")
    }
}
