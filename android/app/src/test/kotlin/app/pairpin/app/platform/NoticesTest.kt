package app.pairpin.app.platform

import android.app.Application
import android.app.Notification
import android.app.NotificationManager
import app.pairpin.app.MainActivity
import app.pairpin.shell.Notice
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertNotEquals
import kotlin.test.assertNull
import kotlin.test.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = Application::class)
class NoticesTest {
    private val context = RuntimeEnvironment.getApplication()
    private val manager = context.service<NotificationManager>()
    private val notices = PhoneNotices(context)
    private val ask = Notice(7, "ask-1", "homebox", Notice.Kind.Ask)
    private val join = Notice(7, "join-2", "homebox", Notice.Kind.Join)

    private fun shown() = shadowOf(manager).allNotifications

    /** What of a notification could decide something without the app. */
    private fun decides(notification: Notification) = notification.actions.orEmpty().isNotEmpty() || notification.fullScreenIntent != null

    private fun textOf(notification: Notification) =
        listOf(Notification.EXTRA_TITLE, Notification.EXTRA_TEXT, Notification.EXTRA_BIG_TEXT, Notification.EXTRA_SUB_TEXT)
            .mapNotNull { notification.extras.getCharSequence(it) }
            .joinToString(" ")

    @Test
    fun `what waits is told without a button that decides, and a locked screen does not name the machine`() {
        notices.tell(ask)
        notices.tell(join)
        assertEquals(2, shown().size)
        for (notification in shown()) {
            assertFalse(decides(notification))
            assertEquals(Notification.VISIBILITY_PRIVATE, notification.visibility)
            assertTrue("homebox" in textOf(notification))
            assertFalse("homebox" in textOf(notification.publicVersion))
            assertFalse(decides(notification.publicVersion))
        }
        // The control: a button would be seen.
        val other = Notification.Builder(context, PhoneNotices.REQUESTS).addAction(Notification.Action.Builder(null, "Yes", null).build()).build()
        assertTrue(decides(other))
    }

    @Test
    fun `a tap opens that request, and nothing more`() {
        notices.tell(ask)
        notices.tell(join)
        val opened = shown().map { OpenRequest.of(shadowOf(it.contentIntent).savedIntent) }
        assertEquals(setOf(OpenRequest(7, "ask-1"), OpenRequest(7, "join-2")), opened.toSet(), "each its own")
        for (notification in shown()) {
            val intent = shadowOf(notification.contentIntent).savedIntent
            assertEquals(MainActivity::class.java.name, intent.component?.className)
            assertEquals(setOf("row", "id"), intent.extras?.keySet())
            assertTrue(shadowOf(notification.contentIntent).isImmutable)
        }
    }

    @Test
    fun `what is over is withdrawn, and only that`() {
        notices.tell(ask)
        notices.tell(join)
        notices.withdraw(ask)
        assertEquals(OpenRequest(7, "join-2"), OpenRequest.of(shadowOf(shown().single().contentIntent).savedIntent))
        notices.withdraw(join)
        assertEquals(0, shown().size)
    }

    @Test
    fun `channels are private on a locked screen, and named in the phone's language`() {
        val channel = manager.getNotificationChannel(PhoneNotices.REQUESTS)
        assertEquals(Notification.VISIBILITY_PRIVATE, channel.lockscreenVisibility)
        assertEquals("Requests", channel.name)
        assertNull(manager.getNotificationChannel("other"))
    }

    @Test
    @Config(qualifiers = "+de")
    fun `in German, too`() {
        assertEquals("Anfragen", manager.getNotificationChannel(PhoneNotices.REQUESTS).name)
        notices.tell(ask)
        assertNotEquals("A machine asks", shown().single().extras.getString(Notification.EXTRA_TITLE))
    }
}
