// The inbox: what waits for an answer on every machine, how things ended, and what the machines tell.
package app.pairpin.app.screens

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.padding
import androidx.compose.material3.Icon
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.vector.ImageVector
import androidx.compose.ui.res.pluralStringResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.text.style.TextOverflow
import androidx.compose.ui.unit.dp
import app.pairpin.app.R
import app.pairpin.app.parts.Card
import app.pairpin.app.parts.DigitsShown
import app.pairpin.app.parts.Emblem
import app.pairpin.app.parts.GroupTitle
import app.pairpin.app.parts.Middle
import app.pairpin.app.parts.ScreenFrame
import app.pairpin.app.parts.Tone
import app.pairpin.app.parts.colour
import app.pairpin.app.texts.LocalNow
import app.pairpin.app.texts.ago
import app.pairpin.app.texts.deviceIcon
import app.pairpin.app.texts.ending
import app.pairpin.app.texts.left
import app.pairpin.app.texts.text
import app.pairpin.app.texts.word
import app.pairpin.app.theme.Icons
import app.pairpin.core.InboxItem
import app.pairpin.core.News
import app.pairpin.core.NewsView
import app.pairpin.core.Request
import app.pairpin.shell.EndedItem
import app.pairpin.shell.InboxScreen

/** What waits, what ended, and the news. */
@Composable
fun InboxContent(state: InboxScreen, back: () -> Unit, open: (InboxItem) -> Unit) {
    ScreenFrame(stringResource(R.string.inbox_title), back) {
        if (state.waiting.isEmpty() && state.ended.isEmpty() && state.news.isEmpty()) Nothing()
        for (item in state.waiting) WaitingCard(item) { open(item) }
        if (state.waiting.isEmpty() && (state.ended.isNotEmpty() || state.news.isNotEmpty())) {
            Text(
                stringResource(R.string.inbox_nothing),
                style = MaterialTheme.typography.bodyLarge,
                color = MaterialTheme.colorScheme.onSurfaceVariant,
            )
        }
        if (state.ended.isNotEmpty()) GroupTitle(stringResource(R.string.inbox_ended))
        for (item in state.ended) EndedCard(item)
        if (state.news.isNotEmpty()) GroupTitle(stringResource(R.string.inbox_news))
        for (news in state.news) NewsCard(news)
    }
}

@Composable
private fun Nothing() {
    Middle {
        Emblem(Icons.Inbox, Tone.Plain, large = true)
        Text(stringResource(R.string.inbox_nothing), style = MaterialTheme.typography.titleLarge, textAlign = TextAlign.Center)
        Text(
            stringResource(R.string.inbox_nothing_text),
            style = MaterialTheme.typography.bodyLarge,
            color = MaterialTheme.colorScheme.onSurfaceVariant,
            textAlign = TextAlign.Center,
        )
    }
}

@Composable
private fun titleOf(request: Request): String =
    when (request) {
        is Request.Ask -> request.claimed.text
        is Request.Join -> stringResource(R.string.join_wants_in, request.name)
    }

private fun iconOf(request: Request): ImageVector =
    when (request) {
        is Request.Ask -> Icons.Question
        is Request.Join -> deviceIcon(request.platform)
    }

@Composable
private fun WaitingCard(item: InboxItem, open: () -> Unit) {
    val minutes = ((item.until - LocalNow.current).coerceAtLeast(0) + 59_999) / 60_000
    Card(open) {
        Row(Modifier.padding(16.dp), Arrangement.spacedBy(14.dp)) {
            Emblem(iconOf(item.request))
            Column(Modifier.weight(1f), Arrangement.spacedBy(4.dp)) {
                Text(
                    titleOf(item.request),
                    style = MaterialTheme.typography.titleMedium,
                    maxLines = 4,
                    overflow = TextOverflow.Ellipsis,
                )
                Text(
                    stringResource(
                        if (item.request is Request.Ask) R.string.inbox_ask_on else R.string.inbox_join_on,
                        item.machine,
                    ),
                    style = MaterialTheme.typography.bodyMedium,
                    color = MaterialTheme.colorScheme.onSurfaceVariant,
                )
                Text(
                    pluralStringResource(R.plurals.minutes_left, minutes.toInt(), minutes.toInt()),
                    style = MaterialTheme.typography.bodyMedium,
                    color = Tone.Warn.colour(),
                )
            }
        }
    }
}

@Composable
private fun EndedCard(item: EndedItem) {
    Card {
        Column(Modifier.padding(16.dp), Arrangement.spacedBy(4.dp)) {
            Text(
                titleOf(item.item.request),
                style = MaterialTheme.typography.titleMedium,
                maxLines = 4,
                overflow = TextOverflow.Ellipsis,
            )
            Text(ending(item.how).text(), style = MaterialTheme.typography.bodyMedium)
            Text(
                item.item.machine,
                style = MaterialTheme.typography.bodyMedium,
                color = MaterialTheme.colorScheme.onSurfaceVariant,
            )
        }
    }
}

@Composable
private fun NewsCard(view: NewsView) {
    val told = told(view.news)
    Card {
        Column(Modifier.padding(16.dp), Arrangement.spacedBy(12.dp)) {
            Row(horizontalArrangement = Arrangement.spacedBy(14.dp)) {
                Icon(told.icon, null, tint = told.tone.colour())
                Column(Modifier.weight(1f), Arrangement.spacedBy(4.dp)) {
                    Text(told.title, style = MaterialTheme.typography.titleMedium)
                    told.more?.let { Text(it, style = MaterialTheme.typography.bodyMedium) }
                    Text(
                        stringResource(R.string.status_and_more, view.machine, ago(view.at)),
                        style = MaterialTheme.typography.bodyMedium,
                        color = MaterialTheme.colorScheme.onSurfaceVariant,
                    )
                }
            }
            told.digits?.let { DigitsShown(it) }
        }
    }
}

private class Told(
    val icon: ImageVector,
    val tone: Tone,
    val title: String,
    val more: String? = null,
    val digits: String? = null,
)

@Composable
private fun told(news: News): Told =
    when (news) {
        is News.DeviceAdded ->
            Told(
                Icons.Devices,
                Tone.Good,
                stringResource(
                    if (news.again) R.string.news_added_again else R.string.news_added,
                    news.name,
                    stringResource(news.role.word),
                ),
                news.digits?.let { stringResource(R.string.news_added_digits, news.from) }
                    ?: stringResource(R.string.news_from, news.from),
                news.digits,
            )
        is News.DeviceRevoked ->
            Told(
                Icons.Stop,
                Tone.Bad,
                stringResource(R.string.news_revoked, news.name, news.by),
                news.reason?.let { stringResource(R.string.reason_given, it) },
            )
        is News.DeviceChanged ->
            Told(
                Icons.Edit,
                Tone.Plain,
                stringResource(R.string.news_changed, news.name, stringResource(news.role.word), news.by),
            )
        is News.Alarm ->
            Told(
                Icons.Warning,
                Tone.Bad,
                news.name?.let { stringResource(R.string.news_alarm_named, it) } ?: stringResource(R.string.news_alarm),
                stringResource(R.string.news_alarm_step, news.from),
            )
        is News.RecoveryUsed ->
            Told(
                Icons.Key,
                Tone.Warn,
                stringResource(R.string.news_recovery, news.from),
                pluralStringResource(R.plurals.news_devices_out, news.revoked.toInt(), news.revoked.toInt()),
            )
        is News.Restored ->
            Told(
                Icons.Key,
                Tone.Warn,
                stringResource(R.string.news_restored, news.by),
                pluralStringResource(R.plurals.news_devices_out, news.revoked.toInt(), news.revoked.toInt()),
            )
        is News.Notice ->
            Told(
                Icons.Speech,
                Tone.Plain,
                news.text,
                news.user?.let { stringResource(R.string.news_notice_by, it) } ?: stringResource(R.string.news_notice),
            )
    }

/** What is left of a request's time, in words. */
@Composable
internal fun timeLeft(until: Long): String = stringResource(R.string.time_left, left((until - LocalNow.current) / 1000))
