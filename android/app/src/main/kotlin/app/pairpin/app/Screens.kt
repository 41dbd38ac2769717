// Each place with its screen: states in, what a person does out.
package app.pairpin.app

import androidx.compose.runtime.Composable
import androidx.compose.runtime.collectAsState
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.ui.platform.LocalContext
import androidx.lifecycle.compose.LifecycleStartEffect
import app.pairpin.app.screens.CodeContent
import app.pairpin.app.screens.ConfirmActions
import app.pairpin.app.screens.ConfirmContent
import app.pairpin.app.screens.DevicesActions
import app.pairpin.app.screens.DevicesContent
import app.pairpin.app.screens.HardStopActions
import app.pairpin.app.screens.HardStopContent
import app.pairpin.app.screens.InboxContent
import app.pairpin.app.screens.InviteActions
import app.pairpin.app.screens.InviteContent
import app.pairpin.app.screens.JoinActions
import app.pairpin.app.screens.JoinContent
import app.pairpin.app.screens.LicencesContent
import app.pairpin.app.screens.MachineActions
import app.pairpin.app.screens.MachineContent
import app.pairpin.app.screens.MachinesActions
import app.pairpin.app.screens.MachinesContent
import app.pairpin.app.screens.RequestActions
import app.pairpin.app.screens.RequestContent
import app.pairpin.app.screens.ScanActions
import app.pairpin.app.screens.ScanContent
import app.pairpin.app.screens.SettingsActions
import app.pairpin.app.screens.SettingsContent
import app.pairpin.app.texts.isHardStop
import app.pairpin.core.MachineView
import app.pairpin.core.version
import app.pairpin.shell.Found
import app.pairpin.shell.HardStopScreen
import app.pairpin.shell.MachineScreen
import app.pairpin.shell.MachinesScreen

/** The screen of a place. */
@Composable
fun Screen(place: Place, journey: Journey) {
    when (place) {
        is MachinesPlace -> Machines(place, journey)
        is ScanPlace -> Scan(place, journey)
        is CodePlace -> CodeContent(journey::back, { address, code -> journey.go { ConfirmPlace(it, Found.Code(address, code)) } })
        is ConfirmPlace -> Confirm(place, journey)
        is MachinePlace -> Machine(place, journey)
        is HardStopPlace -> HardStop(place, journey)
        is DevicesPlace -> Devices(place, journey)
        is InboxPlace -> Inbox(place, journey)
        is RequestPlace -> Request(place, journey)
        is InvitePlace -> Invite(place, journey)
        is JoinPlace -> Join(place, journey)
        is SettingsPlace -> Settings(place, journey)
        is LicencesPlace -> LicencesContent(licences(), journey::back)
    }
}

@Composable
private fun Machines(place: MachinesPlace, journey: Journey) {
    val state by place.presenter.screen.collectAsState()
    val can =
        remember(place) {
            MachinesActions(
                scan = { journey.go { ScanPlace(it) } },
                typeCode = { journey.go { CodePlace(it) } },
                open = { row -> journey.open(machineIn(place.presenter.screen.value, row), row) },
                inbox = { journey.go { InboxPlace(it) } },
                settings = { journey.go { SettingsPlace(it) } },
            )
        }
    MachinesContent(state, can)
}

private fun machineIn(screen: MachinesScreen, row: Long): MachineView? =
    (screen as? MachinesScreen.Listed)?.machines?.find { it.row == row }

/** A machine that is stopped at is not looked at as one in order. */
private fun Journey.open(machine: MachineView?, row: Long) {
    if (machine?.condition?.isHardStop == true) go { HardStopPlace(it, row) } else go { MachinePlace(it, row) }
}

@Composable
private fun Scan(place: ScanPlace, journey: Journey) {
    val state by place.presenter.screen.collectAsState()
    val context = LocalContext.current
    var nothingToPaste by remember { mutableStateOf(false) }
    LifecycleStartEffect(place) {
        place.presenter.enter()
        onStopOrDispose { place.presenter.leave() }
    }
    val can =
        ScanActions(
            back = journey::back,
            torch = place.presenter::torch,
            paste = {
                val text = copied(context)
                nothingToPaste = text == null
                text?.let(place.presenter::paste)
            },
            typeCode = { journey.go { CodePlace(it) } },
            ask = { journey.go { JoinPlace(it) } },
            allowCamera = place.presenter::askForCamera,
            phoneSettings = { openAppSettings(context) },
        )
    ScanContent(state, nothingToPaste, can) { modifier -> CameraView(place, modifier) }
}

@Composable
private fun Confirm(place: ConfirmPlace, journey: Journey) {
    val state by place.presenter.screen.collectAsState()
    ConfirmContent(
        state,
        ConfirmActions(
            pair = place.presenter::confirm,
            again = place.presenter::again,
            leave = journey::back,
            done = journey::backToMachines,
        ),
    )
}

@Composable
private fun Machine(place: MachinePlace, journey: Journey) {
    val state by place.presenter.screen.collectAsState()
    val name = (state as? MachineScreen.Shown)?.machine?.name.orEmpty()
    MachineContent(
        state,
        MachineActions(
            back = journey::back,
            inbox = { journey.go { InboxPlace(it) } },
            devices = { journey.go { DevicesPlace(it, place.row, name) } },
            invite = { journey.go { InvitePlace(it, place.row, name) } },
            scan = { journey.go { ScanPlace(it) } },
            rename = { place.presenter.rename() },
            renamed = place.presenter::rename,
            forget = place.presenter::forget,
            forgetForSure = place.presenter::forgetForSure,
            changedMind = place.presenter::back,
            hardStop = { journey.go { HardStopPlace(it, place.row) } },
        ),
    )
}

@Composable
private fun HardStop(place: HardStopPlace, journey: Journey) {
    val state: HardStopScreen by place.presenter.screen.collectAsState()
    HardStopContent(
        state,
        HardStopActions(
            back = journey::back,
            scan = { journey.go { ScanPlace(it) } },
            forget = { journey.go { MachinePlace(it, place.row) }.presenter.forget() },
        ),
    )
}

@Composable
private fun Devices(place: DevicesPlace, journey: Journey) {
    val state by place.presenter.screen.collectAsState()
    DevicesContent(
        state,
        place.machine,
        DevicesActions(
            back = journey::back,
            refresh = { place.presenter.refresh() },
            revoke = { device, reason -> place.presenter.revoke(device, reason) },
            setRole = { device, role -> place.presenter.setRole(device, role) },
            lift = { place.presenter.lift(it) },
            forgetKey = { place.presenter.forgetKey(it) },
        ),
    )
}

@Composable
private fun Inbox(place: InboxPlace, journey: Journey) {
    val state by place.presenter.screen.collectAsState()
    InboxContent(state, journey::back) { item -> journey.go { RequestPlace(it, item.row, item.id) } }
}

@Composable
private fun Request(place: RequestPlace, journey: Journey) {
    val state by place.presenter.screen.collectAsState()
    val context = LocalContext.current
    RequestContent(
        state,
        RequestActions(
            yes = { place.presenter.yes() },
            no = { place.presenter.no(it) },
            letIn = { place.presenter.letIn(it) },
            letInByNumber = { number, terms -> place.presenter.letInByNumber(number, terms) },
            scan = { journey.go { ScanPlace(it) } },
            back = journey::back,
            phoneSettings = { openLockSettings(context) },
        ),
    )
}

@Composable
private fun Invite(place: InvitePlace, journey: Journey) {
    val state by place.presenter.screen.collectAsState()
    InviteContent(
        state,
        place.machine,
        InviteActions(
            back = journey::back,
            invite = { role, name -> place.presenter.invite(role, name) },
            another = place.presenter::another,
            devices = { journey.go { DevicesPlace(it, place.row, place.machine) } },
        ),
    )
}

@Composable
private fun Join(place: JoinPlace, journey: Journey) {
    val state by place.presenter.screen.collectAsState()
    JoinContent(
        state,
        JoinActions(
            leave = journey::back,
            ask = { place.presenter.ask(it) },
            type = { place.presenter.type(it) },
            done = journey::backToMachines,
        ),
    )
}

@Composable
private fun Settings(place: SettingsPlace, journey: Journey) {
    val state by place.presenter.screen.collectAsState()
    val context = LocalContext.current
    LifecycleStartEffect(place) {
        place.presenter.enter()
        onStopOrDispose {}
    }
    SettingsContent(
        state,
        place.protection,
        version(),
        SettingsActions(
            back = journey::back,
            rename = { place.presenter.rename(it) },
            stayConnected = place.presenter::stayConnected,
            diagnostics = { place.presenter.diagnostics(it) },
            copy = { copy(context, it) },
            phoneSettings = { openLockSettings(context) },
            licences = { journey.go { LicencesPlace(it) } },
        ),
    )
}
