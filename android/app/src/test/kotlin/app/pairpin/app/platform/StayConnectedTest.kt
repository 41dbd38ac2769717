package app.pairpin.app.platform

import android.app.Activity
import android.app.Notification
import android.content.Intent
import android.os.Looper
import app.pairpin.core.PairpinApp
import app.pairpin.shell.ApprovalKeys
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlinx.coroutines.awaitCancellation
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config

/** An application whose core is never opened. */
class Waiting : PairpinApplication() {
    var opens = 0

    override val dependencies: Dependencies by lazy {
        object : Dependencies {
            override val approvalKeys: ApprovalKeys get() = error("not here")
            override val preferences = PhonePreferences(this@Waiting) {}
            override val camera: ViewCamera get() = error("not here")

            override suspend fun core(): PairpinApp {
                opens++
                awaitCancellation()
            }

            override suspend fun moveAside() = Unit

            override fun keyProtection() = KeyProtection.Unknown

            override fun attach(activity: Activity) = Unit

            override fun detach(activity: Activity) = Unit
        }
    }
}

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = Waiting::class)
class StayConnectedTest {
    private val application = RuntimeEnvironment.getApplication() as Waiting
    private val preferences = application.dependencies.preferences
    private val controller = Robolectric.buildService(StayConnectedService::class.java).create()
    private val service = controller.get()

    @Test
    fun `it opens the core, and shows that it runs for as long as it does`() {
        preferences.setStayConnected(true)
        service.onStartCommand(Intent(), 0, 1)
        shadowOf(Looper.getMainLooper()).idle()
        assertEquals(1, application.opens)
        val shown: Notification = shadowOf(service).lastForegroundNotification
        assertTrue(shown.flags and Notification.FLAG_ONGOING_EVENT != 0)
        assertFalse(shadowOf(service).isStoppedBySelf)

        // The person ends it in the notification.
        val end = shadowOf(shown.actions.single().actionIntent).savedIntent
        service.onStartCommand(end, 0, 2)
        assertFalse(preferences.stayConnected.value)
        assertTrue(shadowOf(service).isStoppedBySelf)
        assertTrue(shadowOf(service).isForegroundStopped)
    }

    @Test
    fun `where the person has not asked for it, it ends at once`() {
        service.onStartCommand(null, 0, 1)
        shadowOf(Looper.getMainLooper()).idle()
        assertTrue(shadowOf(service).isStoppedBySelf)
        assertEquals(0, application.opens)
    }

    @Test
    fun `nobody can bind to it`() {
        assertNull(service.onBind(Intent()))
    }
}
