// The name of every text; the texts themselves are in Resources, one table for each language.

/// Names a text. A test sees that every language has each, and no other.
public enum TextKey: String, CaseIterable, Sendable {
    // Everywhere.
    case cancel, back, tryAgain, understood, save, working, machines, unknownName

    // Start.
    case startOpening, startFailed, startAnew, startAnewExplained

    // Machines.
    case machinesEmptyTitle, machinesEmptyServe, machinesEmptyCommand, machinesEmptyScan, machinesAdd,
        machinesWaitingOne, machinesWaitingOther

    // How a machine stands.
    case conditionUnfinished, conditionConnecting, conditionOnline, conditionOffline, conditionOfflineSince,
        conditionLeaving, conditionForgotten, conditionPaused, conditionRevoked, conditionRevokedBy,
        conditionKeyChanged, conditionKeyCopied, conditionSuspended, conditionExpired, conditionLost,
        conditionKeysGone, conditionBroken, endsSoon, reason

    // Kinds of network.
    case networkLan, networkTailnet, networkTunnel, networkPublic, networkContainer, networkLoopback,
        networkAdvertised

    // Roles.
    case roleViewer, roleOperator, roleOwner, roleViewerMay, roleOperatorMay, roleOwnerMay

    // A machine.
    case machineOwnName, machinePlatform, machineKey, machineAddress, machineYourRole, machineListsYouAs,
        machinePairedAt, machineLastOnline, machineSessionEnds, machineKeys, keysHardware, keysKeyring, keysFile,
        actionRename, actionForget, actionScanAgain, actionAnswer, actionDevices, actionDecide,
        whyNotNotConnected, whyNotRole, whyNotNotPaired, whyNotHardStop, whyNotForgetFirst, whyNotNotNeeded,
        renameTitle, forgetTitle, forgetExplained, forgotten, forgottenStillListed, forgottenLastOwner,
        machineGone

    // Scan.
    case scan, scanHint, scanTorchOn, scanTorchOff, scanType, scanJoin, scanAddress, scanCode, scanGo,
        cameraNotAsked, cameraRefused, cameraRefusedForGood, cameraNone, cameraAllow, cameraSettings

    // Confirm.
    case confirmAsking, confirmNew, confirmAgain, confirmReplaceKey, confirmOldKey, confirmOtherMachine,
        confirmCompare, confirmRole, confirmPair, confirmReplace, confirmNo, pairing, paired, pairedDigits,
        pairedDigitsExplained, pairedRevokedBefore, pairingFailed

    // Devices.
    case deviceThisPhone, deviceConnected, deviceLastSeen, deviceNeverSeen, deviceSuspended, deviceExpired,
        deviceRevoke, deviceRevokeTitle, deviceRevokeExplained, deviceReason, deviceSetRole, deviceLift,
        deviceForgetKey, deviceWhyNotOnItself, deviceWhyNotLastOwner, deviceWhyNotNotNeeded

    // Inbox.
    case inbox, inboxEmpty, inboxEnded, inboxNews, inboxAsk, inboxJoin, inboxUntil, endedYes, endedYesBy,
        endedNo, endedNoBy, endedWithdrawn, endedExpired, endedUnknown, newsAdded, newsAddedAgain, newsRevokedBy,
        newsAlarm, newsAlarmName, newsRecovery, newsNoticeUser, newsRestored, newsChanged

    // A request.
    case requestJoinTitle, requestClaimed, requestObserved, requestKnown, requestUser, requestUserId,
        requestProcess, requestProgram, requestProgramHidden, requestArguments, requestArgumentsMore,
        requestDirectory, requestClaimsName, requestClaimsPlatform, requestFrom, requestSameNetwork,
        requestOtherNetwork, requestRevokedBy, requestNumber, requestNumberOnce, requestScanIt, requestRole,
        requestName, requestHours, requestYes, requestNo, requestLetIn, requestNoBlock, requestNoClose,
        requestDigits, requestDigitsExplained, requestLooking, requestOver, hintCancelled, hintNoScreenLock,
        hintKeyNotMade, hintKeyGone, hintNoNumber

    // Prompts for a face or a finger.
    case promptBringKey, promptSayYes, promptLetIn, promptInvite, promptRevoke, promptChange

    // Hard stop.
    case hardStop, hardStopChanged, hardStopCopied, hardStopKnown, hardStopSeen, hardStopNext, hardStopOver

    // Invite.
    case invite, inviteRole, inviteName, inviteMake, inviteShow, inviteCode, inviteSecret, inviteLeft,
        inviteArrived, inviteDigits, inviteExpired, inviteAnother, inviteQrLabel

    // Join.
    case join, joinExplained, joinAsk, joinWaiting, joinNumber, joinDigits, joinDigitsField, joinDone

    // Settings.
    case settings, settingsName, settingsNameExplained, settingsLock, settingsLockOn, settingsLockOff,
        settingsBackground, settingsDiagnosticsShow, settingsDiagnosticsHide, settingsDiagnosticsExplained,
        settingsLicences, settingsLicencesExplained, settingsVersion

    // Notices: that something waits, never what it says.
    case noticeAsk, noticeJoin, noticeOpen

    // Times.
    case timeNow, timeMinutesOne, timeMinutesOther, timeHoursOne, timeHoursOther, timeDaysOne, timeDaysOther,
        timeSoon, timeInMinutesOne, timeInMinutesOther, timeInHoursOne, timeInHoursOther, timeInDaysOne,
        timeInDaysOther

    // The phone's key store.
    case vaultLocked, vaultKeyIsThere, vaultKeyIsGone, vaultOther

    // Errors: the cause, and the next step.
    case errorNotOurs, errorDamagedLink, errorIsJoin, errorIsSheet, errorVersion, errorOfferExpired,
        errorOfferUsed, errorOfferWithdrawn, errorOfferUnknown, errorNotReachable, errorInterrupted,
        errorNotPairpin, errorKeyChanged, errorKeyReplaced, errorKeyCopied, errorRevoked, errorSuspended,
        errorSessionEnded, errorSessionEndedClock, errorPairAgain, errorCodeWrong, errorNotACode,
        errorCodeClosed, errorTooLate, errorJoinRefused, errorNotThatJoin, errorNotOurMachine,
        errorJoinerRevoked, errorNotAllowed, errorNoApprovalKey, errorGone, errorLastOwner, errorOnItself,
        errorFull, errorMachineFailed, errorName, errorNoSuchMachine, errorKeysGone, errorKeys, errorState,
        errorStateDamaged, errorCancelled, errorAddress, nothing
}
