// Times as a person says them, in the language and zone of the phone.
package app.pairpin.app.texts

import android.text.format.DateUtils
import androidx.compose.runtime.Composable
import androidx.compose.runtime.compositionLocalOf
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.res.stringResource
import app.pairpin.app.R

/** Now, in milliseconds since 1970 UTC; screens are told, so that a picture of one shows the same tomorrow. */
val LocalNow = compositionLocalOf { System.currentTimeMillis() }

/** How long ago, or when: "5 minutes ago", "yesterday", "3 Mar". */
@Composable
fun ago(at: Long): String {
    val now = LocalNow.current
    if (now - at < DateUtils.MINUTE_IN_MILLIS) return stringResource(R.string.just_now)
    return DateUtils.getRelativeTimeSpanString(at, now, DateUtils.MINUTE_IN_MILLIS, 0).toString()
}

/** The day and the time. */
@Composable
fun dayAndTime(at: Long): String =
    DateUtils.formatDateTime(
        LocalContext.current,
        at,
        DateUtils.FORMAT_SHOW_DATE or DateUtils.FORMAT_SHOW_TIME or DateUtils.FORMAT_ABBREV_MONTH,
    )

/** The day. */
@Composable
fun day(at: Long): String =
    DateUtils.formatDateTime(
        LocalContext.current,
        at,
        DateUtils.FORMAT_SHOW_DATE or DateUtils.FORMAT_SHOW_YEAR or DateUtils.FORMAT_ABBREV_MONTH,
    )

/** What is left of so many seconds: "4:05". */
fun left(seconds: Long): String = DateUtils.formatElapsedTime(seconds.coerceAtLeast(0))
