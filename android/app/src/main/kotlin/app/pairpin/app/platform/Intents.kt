// What an intent that starts the activity asks for. Read in `onCreate` and `onNewIntent`.
package app.pairpin.app.platform

import android.content.Context
import android.content.Intent
import android.net.Uri
import app.pairpin.app.MainActivity

/** A `pairpin:` link that another app or a web page has handed over. It only ever leads to the screen that asks. */
object DeepLink {
    /** The text of the link, or null. Letters of the scheme count the same in any case. */
    fun of(intent: Intent?): String? =
        intent
            ?.takeIf { it.action == Intent.ACTION_VIEW }
            ?.data
            ?.takeIf { it.scheme.equals("pairpin", ignoreCase = true) }
            ?.toString()
}

/** A request of the inbox that a notification was tapped for: it is opened, never answered. */
data class OpenRequest(val row: Long, val id: String) {
    companion object {
        private const val OPEN = "app.pairpin.OPEN_REQUEST"
        private const val ROW = "row"
        private const val ID = "id"

        /** The request that `intent` opens, or null. */
        fun of(intent: Intent?): OpenRequest? {
            if (intent?.action != OPEN) return null
            return OpenRequest(intent.getLongExtra(ROW, -1), intent.getStringExtra(ID) ?: return null)
        }

        /** An intent that opens a request in the activity, and does nothing else. */
        fun intent(context: Context, row: Long, id: String): Intent =
            Intent(context, MainActivity::class.java)
                .setAction(OPEN)
                // Extras do not tell two intents apart, so that one would stand for the other.
                .setData(Uri.fromParts("request", "$row/$id", null))
                .putExtra(ROW, row)
                .putExtra(ID, id)
                .addFlags(Intent.FLAG_ACTIVITY_NEW_TASK or Intent.FLAG_ACTIVITY_SINGLE_TOP)
    }
}
