// Times as a person says them, in the language of the screen and the zone of the phone.
package app.pairpin.app.texts

import android.content.res.Configuration
import android.icu.text.RelativeDateTimeFormatter
import android.icu.text.RelativeDateTimeFormatter.Direction
import android.icu.text.RelativeDateTimeFormatter.RelativeUnit
import android.icu.util.ULocale
import android.text.format.DateFormat
import android.text.format.DateUtils
import androidx.compose.runtime.Composable
import androidx.compose.runtime.compositionLocalOf
import androidx.compose.ui.platform.LocalConfiguration
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.res.stringResource
import app.pairpin.app.R
import java.text.SimpleDateFormat
import java.util.Calendar
import java.util.Date
import java.util.Locale

/** Now, in milliseconds since 1970 UTC; screens are told, so that a picture of one shows the same tomorrow. */
val LocalNow = compositionLocalOf { System.currentTimeMillis() }

private val Configuration.language: Locale get() = locales[0]

/** How long ago: "5 minutes ago", "3 days ago"; the day where that is a week or more. */
@Composable
fun ago(at: Long): String {
    val past = LocalNow.current - at
    val (count, unit) =
        when {
            past < DateUtils.MINUTE_IN_MILLIS -> return stringResource(R.string.just_now)
            past < DateUtils.HOUR_IN_MILLIS -> past / DateUtils.MINUTE_IN_MILLIS to RelativeUnit.MINUTES
            past < DateUtils.DAY_IN_MILLIS -> past / DateUtils.HOUR_IN_MILLIS to RelativeUnit.HOURS
            past < DateUtils.WEEK_IN_MILLIS -> past / DateUtils.DAY_IN_MILLIS to RelativeUnit.DAYS
            else -> return day(at)
        }
    val language = ULocale.forLocale(LocalConfiguration.current.language)
    return RelativeDateTimeFormatter.getInstance(language).format(count.toDouble(), Direction.LAST, unit)
}

/** The time of today, or the day with it. */
@Composable
fun moment(at: Long): String = if (sameDay(at, LocalNow.current)) said(at, clock()) else dayAndTime(at)

/** The day and the time. */
@Composable
fun dayAndTime(at: Long): String = said(at, "yMMMd" + clock())

/** The day. */
@Composable
fun day(at: Long): String = said(at, "yMMMd")

/** What is left of so many seconds: "4:05". */
fun left(seconds: Long): String = DateUtils.formatElapsedTime(seconds.coerceAtLeast(0))

/** Hours as the person has chosen to read them. */
@Composable
private fun clock(): String = if (DateFormat.is24HourFormat(LocalContext.current)) "Hm" else "hm"

@Composable
private fun said(at: Long, parts: String): String {
    val language = LocalConfiguration.current.language
    return SimpleDateFormat(DateFormat.getBestDateTimePattern(language, parts), language).format(Date(at))
}

private fun sameDay(one: Long, other: Long): Boolean {
    val (a, b) = listOf(one, other).map { Calendar.getInstance().apply { timeInMillis = it } }
    return a.get(Calendar.YEAR) == b.get(Calendar.YEAR) && a.get(Calendar.DAY_OF_YEAR) == b.get(Calendar.DAY_OF_YEAR)
}
