// An offer of one of the machines, made by this phone and shown by it to the next device.
package app.pairpin.shell

import app.pairpin.core.Done
import app.pairpin.core.News
import app.pairpin.core.PairpinApp
import app.pairpin.core.PairpinException
import app.pairpin.core.QrModules
import app.pairpin.core.RoleName
import app.pairpin.core.ScreenState
import app.pairpin.core.qrModules
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update

/** What the screen of an invitation shows. */
sealed interface InviteScreen {
    /** The person chooses a role; `hint` says what the last attempt came to. */
    data class Choosing(val hint: Hint? = null) : InviteScreen

    /** The person decides in the prompt, or the machine makes the offer. */
    data object Working : InviteScreen

    /** To be shown to the next device. Secrets, until it is used or over. */
    data class Shown(
        val number: UInt,
        val link: String?,
        val qr: QrModules?,
        val code: String?,
        val role: RoleName,
        val secondsLeft: Long,
    ) : InviteScreen

    /** A device has used it: its check digits have to be the ones on its own screen. */
    data class Arrived(val device: News.DeviceAdded) : InviteScreen

    /** Nobody came in time. */
    data object Expired : InviteScreen
}

/** One invitation to the machine of `row`, for as long as `scope` lives. */
class InvitePresenter(
    private val app: PairpinApp,
    private val approver: Approver,
    private val scope: CoroutineScope,
    private val row: Long,
    private val elapsed: Elapsed = monotonic,
) {
    private val shown = MutableStateFlow<InviteScreen>(InviteScreen.Choosing())
    private var clock: Job? = null
    private var heard = 0uL

    /** What to show now. */
    val screen: StateFlow<InviteScreen> = shown.asStateFlow()

    init {
        app.follow(scope, ::arrived)
    }

    /** The person taps Invite. */
    fun invite(role: RoleName, name: String? = null, seconds: ULong? = null) {
        if (shown.value !is InviteScreen.Choosing) return
        shown.value = InviteScreen.Working
        // A machine that was started again counts its offers from one: only what comes from now on is of this one.
        heard = app.state().news.lastOrNull()?.number ?: 0uL
        scope.step(::failed) {
            val approval =
                approver.approve(row, Prompt.Invite) {
                    app.prepareInvite(row, role, name?.trim()?.ifEmpty { null }, seconds)
                }
            when (approval) {
                is Approval.Given -> show(approval.done, role)
                is Approval.Not -> shown.value = InviteScreen.Choosing(approval.hint)
            }
        }
    }

    /** Another one, after this is over. */
    fun another() {
        clock?.cancel()
        shown.value = InviteScreen.Choosing()
    }

    private fun show(done: Done, role: RoleName) {
        if (done !is Done.Invited) return another()
        val seconds = done.seconds.toLong()
        val end = elapsed() + seconds * 1000
        shown.value =
            InviteScreen.Shown(done.number, done.link, done.link?.let(::qrModules), done.code, role, seconds)
        arrived(app.state())
        clock = scope.step(::failed) {
            countDown(end, elapsed) { left ->
                shown.update { if (it is InviteScreen.Shown) it.copy(secondsLeft = left) else it }
            }
            shown.update { if (it is InviteScreen.Shown) InviteScreen.Expired else it }
        }
    }

    private fun arrived(state: ScreenState) {
        val offer = (shown.value as? InviteScreen.Shown ?: return).number
        val added = state.news.filter { it.row == row && it.number > heard }.map { it.news }.filterIsInstance<News.DeviceAdded>()
        val device = added.lastOrNull { it.offer == offer } ?: return
        clock?.cancel()
        shown.value = InviteScreen.Arrived(device)
    }

    private fun failed(error: PairpinException) {
        shown.value = InviteScreen.Choosing(Hint.Failed(error))
    }
}
