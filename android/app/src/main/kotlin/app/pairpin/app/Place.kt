// Where a person is in the app: a place has the presenter of its screen, which lives until the place is left.
package app.pairpin.app

import app.pairpin.app.platform.Dependencies
import app.pairpin.core.PairpinApp
import app.pairpin.shell.Approver
import app.pairpin.shell.DevicesPresenter
import app.pairpin.shell.Found
import app.pairpin.shell.HardStopPresenter
import app.pairpin.shell.InboxPresenter
import app.pairpin.shell.InvitePresenter
import app.pairpin.shell.JoinPresenter
import app.pairpin.shell.MachinePresenter
import app.pairpin.shell.MachinesPresenter
import app.pairpin.shell.PairingPresenter
import app.pairpin.shell.RequestPresenter
import app.pairpin.shell.RequestScreen
import app.pairpin.shell.ScanPresenter
import app.pairpin.shell.SettingsPresenter
import java.util.UUID
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.cancel

/** What every place is made of. */
class Ground(val app: PairpinApp, val dependencies: Dependencies, val scope: CoroutineScope) {
    /** Where a person's yes is signed. */
    val approver = Approver(app, dependencies.approvalKeys)
}

/** A place. Leave it by [close]. */
sealed class Place(ground: Ground) : AutoCloseable {
    /** Names this place among all that ever were: nothing that was typed in one is ever shown in another. */
    val key: String = UUID.randomUUID().toString()

    /** Lives as long as the place. */
    protected val scope = CoroutineScope(ground.scope.coroutineContext + Job(ground.scope.coroutineContext[Job]))

    /** Something is decided here, or a secret shown: no picture of it is taken, and no touch through a cover counts. */
    open val guarded: Boolean get() = false

    override fun close() = scope.cancel()
}

/** The first screen. */
class MachinesPlace(ground: Ground) : Place(ground) {
    val presenter = MachinesPresenter(ground.app, scope)
}

/** The scanner; `once` where a link from outside was brought, and nobody wanted to scan. */
class ScanPlace(ground: Ground, val once: Boolean = false) : Place(ground) {
    val presenter = ScanPresenter(ground.app, ground.dependencies.camera, scope)
    val camera = ground.dependencies.camera

    override fun close() {
        presenter.leave()
        super.close()
    }
}

/** An address and a code are typed. */
class CodePlace(ground: Ground) : Place(ground) {
    override val guarded get() = true
}

/** The question whether to pair. */
class ConfirmPlace(ground: Ground, found: Found) : Place(ground) {
    val presenter = PairingPresenter(ground.app, scope)
    override val guarded get() = true

    init {
        when (found) {
            is Found.Offer -> presenter.found(found.link)
            is Found.Code -> presenter.typed(found.address, found.code)
            is Found.Join -> error("a join is decided at its request")
        }
    }

    override fun close() {
        presenter.leave()
        super.close()
    }
}

/** One machine. */
class MachinePlace(ground: Ground, val row: Long) : Place(ground) {
    val presenter = MachinePresenter(ground.app, scope, row)
    override val guarded get() = true
}

/** A hard stop. */
class HardStopPlace(ground: Ground, val row: Long) : Place(ground) {
    val presenter = HardStopPresenter(ground.app, scope, row)
    override val guarded get() = true
}

/** The devices of a machine. */
class DevicesPlace(ground: Ground, row: Long, val machine: String) : Place(ground) {
    val presenter = DevicesPresenter(ground.app, ground.approver, scope, row)
    override val guarded get() = true
}

/** The inbox of all machines. */
class InboxPlace(ground: Ground) : Place(ground) {
    val presenter = InboxPresenter(ground.app, scope)
    override val guarded get() = true
}

/** One request. */
class RequestPlace(ground: Ground, val row: Long, val id: String, scanned: String? = null) : Place(ground) {
    val presenter = RequestPresenter(ground.app, ground.approver, scope, row, id, scanned)
    override val guarded get() = true

    /** Digits are shown that are nowhere else: without them the joiner is not let in. */
    val showsDigits get() = presenter.screen.value is RequestScreen.ShowDigits
}

/** An offer for another device. */
class InvitePlace(ground: Ground, val row: Long, val machine: String) : Place(ground) {
    val presenter = InvitePresenter(ground.app, ground.approver, scope, row)
    override val guarded get() = true
}

/** This phone asks to be let in. */
class JoinPlace(ground: Ground) : Place(ground) {
    val presenter = JoinPresenter(ground.app, scope)
    override val guarded get() = true

    override fun close() {
        presenter.leave()
        super.close()
    }
}

/** The settings. */
class SettingsPlace(ground: Ground) : Place(ground) {
    val presenter =
        SettingsPresenter(ground.app, ground.dependencies.approvalKeys, ground.dependencies.preferences, scope)
    val protection = ground.dependencies.keyProtection()
}

/** Whose work the app stands on. */
class LicencesPlace(ground: Ground) : Place(ground)
