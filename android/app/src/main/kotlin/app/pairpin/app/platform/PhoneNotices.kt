// Notifications: that something waits, and on which machine. What it says is seen in the app alone, and so is every
// button that decides.
package app.pairpin.app.platform

import android.app.Notification
import android.app.NotificationChannel
import android.app.NotificationManager
import android.app.PendingIntent
import android.content.Context
import app.pairpin.app.R
import app.pairpin.shell.Notice
import app.pairpin.shell.Notices

/** Tells of requests by the phone's notifications. */
class PhoneNotices(private val context: Context) : Notices {
    private val manager = context.service<NotificationManager>()

    init {
        channels(context)
        // Of a process that has ended: what still waits is told anew.
        manager.activeNotifications.filter { it.id == REQUEST && it.tag != null }.forEach { manager.cancel(it.tag, it.id) }
    }

    override fun tell(notice: Notice) = manager.notify(tag(notice), REQUEST, made(notice))

    override fun withdraw(notice: Notice) = manager.cancel(tag(notice), REQUEST)

    private fun made(notice: Notice): Notification {
        val title =
            when (notice.kind) {
                Notice.Kind.Join -> R.string.notice_join
                Notice.Kind.Ask -> R.string.notice_ask
            }
        val open = OpenRequest.intent(context, notice.row, notice.id)
        val tap = PendingIntent.getActivity(context, 0, open, PendingIntent.FLAG_IMMUTABLE or PendingIntent.FLAG_UPDATE_CURRENT)
        fun plain(text: String) =
            Notification.Builder(context, REQUESTS)
                .setSmallIcon(R.drawable.ic_notification)
                .setCategory(Notification.CATEGORY_MESSAGE)
                .setContentTitle(context.getString(title))
                .setContentText(text)
        // On a locked screen not even the machine's name is shown.
        val public = plain(context.getString(R.string.notice_hidden)).build()
        return plain(context.getString(R.string.notice_from, notice.machine))
            .setVisibility(Notification.VISIBILITY_PRIVATE)
            .setPublicVersion(public)
            .setContentIntent(tap)
            .setOnlyAlertOnce(true)
            .setAutoCancel(true)
            .setLocalOnly(true)
            .build()
    }

    private fun tag(notice: Notice) = "${notice.row}/${notice.id}"

    companion object {
        const val REQUESTS = "requests"
        const val CONNECTED = "connected"
        private const val REQUEST = 1

        /** Makes the channels, or gives them their names in the phone's present language. */
        fun channels(context: Context) {
            fun channel(id: String, name: Int, about: Int, importance: Int) =
                NotificationChannel(id, context.getString(name), importance).apply {
                    description = context.getString(about)
                    lockscreenVisibility = Notification.VISIBILITY_PRIVATE
                }
            val requests =
                channel(REQUESTS, R.string.channel_requests, R.string.channel_requests_about, NotificationManager.IMPORTANCE_HIGH)
            val connected =
                channel(CONNECTED, R.string.channel_connected, R.string.channel_connected_about, NotificationManager.IMPORTANCE_LOW)
            connected.setShowBadge(false)
            context.service<NotificationManager>().createNotificationChannels(listOf(requests, connected))
        }
    }
}
