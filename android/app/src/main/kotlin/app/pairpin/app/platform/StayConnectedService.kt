// "Stay connected": a foreground service, so that the system lets the connections live while nobody looks. The person
// starts it in the settings, and ends it there or in its notification.
package app.pairpin.app.platform

import android.app.Notification
import android.app.PendingIntent
import android.app.Service
import android.content.Context
import android.content.Intent
import android.os.IBinder
import app.pairpin.app.MainActivity
import app.pairpin.app.R
import app.pairpin.core.PairpinException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.coroutines.launch

/**
 * Keeps the process, and with it the core and its connections. Of the kinds of foreground services it is
 * `connectedDevice`: an exchange with the person's own machines over the network. `dataSync` would end after six hours
 * a day, and `specialUse` is for what has no kind.
 */
class StayConnectedService : Service() {
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Main)

    override fun onBind(intent: Intent?): IBinder? = null

    override fun onStartCommand(intent: Intent?, flags: Int, startId: Int): Int {
        val dependencies = (application as PairpinApplication).dependencies
        try {
            startForeground(SHOWN, notification())
        } catch (_: IllegalStateException) {
            // Started anew while nobody looks, which newer phones refuse: the next look starts it.
            return given()
        } catch (_: SecurityException) {
            return given()
        }
        if (intent?.action == END || !dependencies.preferences.stayConnected.value) {
            dependencies.preferences.setStayConnected(false)
            stopForeground(STOP_FOREGROUND_REMOVE)
            stopSelf()
            return START_NOT_STICKY
        }
        scope.launch {
            try {
                // Started anew by the system, there may be nobody who has opened it.
                dependencies.core()
            } catch (_: PairpinException) {
                // The app says why when it is opened; there is nothing to hold until then.
                stopSelf()
            }
        }
        return START_STICKY
    }

    private fun given(): Int {
        stopSelf()
        return START_NOT_STICKY
    }

    override fun onDestroy() {
        scope.cancel()
        super.onDestroy()
    }

    private fun notification(): Notification {
        PhoneNotices.channels(this)
        val open = PendingIntent.getActivity(this, 0, Intent(this, MainActivity::class.java), PendingIntent.FLAG_IMMUTABLE)
        val end =
            PendingIntent.getService(
                this,
                0,
                Intent(this, StayConnectedService::class.java).setAction(END),
                PendingIntent.FLAG_IMMUTABLE,
            )
        return Notification.Builder(this, PhoneNotices.CONNECTED)
            .setSmallIcon(R.drawable.ic_notification)
            .setContentTitle(getString(R.string.connected_title))
            .setContentText(getString(R.string.connected_text))
            .setStyle(Notification.BigTextStyle().bigText(getString(R.string.connected_text)))
            .setContentIntent(open)
            .setOngoing(true)
            .addAction(Notification.Action.Builder(null, getString(R.string.connected_end), end).build())
            .build()
    }

    companion object {
        private const val SHOWN = 2
        private const val END = "app.pairpin.END_STAY_CONNECTED"

        /** Starts it; only while the app is on the screen, as Android asks. */
        fun start(context: Context) {
            context.startForegroundService(Intent(context, StayConnectedService::class.java))
        }

        /** Ends it. */
        fun stop(context: Context) {
            context.stopService(Intent(context, StayConnectedService::class.java))
        }
    }
}
