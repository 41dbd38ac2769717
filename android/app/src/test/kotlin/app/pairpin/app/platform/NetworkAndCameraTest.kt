package app.pairpin.app.platform

import android.Manifest
import android.app.Application
import android.content.pm.PackageManager
import android.net.ConnectivityManager
import android.net.LinkAddress
import android.net.LinkProperties
import android.net.Network
import androidx.activity.ComponentActivity
import app.pairpin.shell.CameraAccess
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.shadows.ShadowNetwork

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = Application::class)
class NetworkAndCameraTest {
    private val context = RuntimeEnvironment.getApplication()
    private val packages = shadowOf(context.packageManager)

    @Test
    fun `another network is told, the one that was there is not`() {
        var changes = 0
        val watcher = NetworkWatcher(context) { changes++ }
        val manager = shadowOf(context.service<ConnectivityManager>())
        val told = manager.networkCallbacks.single()
        val (home, road) = ShadowNetwork.newInstance(1) to ShadowNetwork.newInstance(2)
        told.onAvailable(home)
        told.onAvailable(home)
        assertEquals(0, changes, "the network that the app began in")
        told.onAvailable(road)
        assertEquals(1, changes, "another network")
        told.onLost(road)
        assertEquals(2, changes, "no network")
        told.onAvailable(home)
        assertEquals(3, changes, "one again")
        addresses(told, home, "192.0.2.1/24")
        assertEquals(3, changes, "the addresses that it came with")
        addresses(told, home, "192.0.2.1/24")
        addresses(told, home, "192.0.2.2/24")
        assertEquals(4, changes, "other addresses in the same network")
        watcher.close()
        assertTrue(manager.networkCallbacks.isEmpty())
    }

    private fun addresses(told: ConnectivityManager.NetworkCallback, network: Network, vararg addresses: String) {
        val made = LinkAddress::class.java.getConstructor(String::class.java)
        val properties = LinkProperties()
        properties.setLinkAddresses(addresses.map { made.newInstance(it) })
        told.onLinkPropertiesChanged(network, properties)
    }

    @Test
    fun `a camera that the person refuses is said to be refused, and one that is allowed is allowed`() {
        packages.setSystemFeature(PackageManager.FEATURE_CAMERA_ANY, true)
        var activity = Robolectric.buildActivity(ComponentActivity::class.java).setup().get()
        val permission = CameraPermission(context, Asking(context) { activity })
        assertEquals(CameraAccess.NotAsked, permission.access.value)

        permission.ask()
        assertEquals(listOf(Manifest.permission.CAMERA), shadowOf(activity).lastRequestedPermission.requestedPermissions.toList())
        packages.setShouldShowRequestPermissionRationale(Manifest.permission.CAMERA, true)
        answer(activity, PackageManager.PERMISSION_DENIED)
        assertEquals(CameraAccess.Refused, permission.access.value)

        // Of one activity the system takes one question at a time, and here nobody else answers it.
        activity = Robolectric.buildActivity(ComponentActivity::class.java).setup().get()
        permission.ask()
        packages.setShouldShowRequestPermissionRationale(Manifest.permission.CAMERA, false)
        answer(activity, PackageManager.PERMISSION_DENIED)
        assertEquals(CameraAccess.RefusedForGood, permission.access.value)

        // The control: in the phone's settings the person allows it after all.
        shadowOf(context).grantPermissions(Manifest.permission.CAMERA)
        permission.look()
        assertEquals(CameraAccess.Allowed, permission.access.value)
    }

    private fun answer(activity: ComponentActivity, result: Int) {
        val asked = shadowOf(activity).lastRequestedPermission
        activity.onRequestPermissionsResult(asked.requestCode, asked.requestedPermissions, intArrayOf(result))
    }

    @Test
    fun `a phone without a camera says so`() {
        packages.setSystemFeature(PackageManager.FEATURE_CAMERA_ANY, false)
        assertEquals(CameraAccess.NoCamera, CameraPermission(context, Asking(context) { null }).access.value)
    }
}
