package app.pairpin.app.platform

import android.app.Application
import android.content.Intent
import android.content.pm.ApplicationInfo
import android.content.pm.PackageManager
import android.content.res.Resources
import android.net.Uri
import app.pairpin.app.MainActivity
import app.pairpin.app.R
import java.io.File
import java.util.Properties
import javax.xml.parsers.DocumentBuilderFactory
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.w3c.dom.Element
import org.xmlpull.v1.XmlPullParser

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = Application::class)
class ManifestTest {
    private val context = RuntimeEnvironment.getApplication()

    /** The manifest as it was merged with those of the libraries. */
    private val manifest: Element by lazy {
        val properties = Properties().apply { load(checkNotNull(ManifestTest::class.java.getResourceAsStream("/com/android/tools/test_config.properties"))) }
        DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(File(properties.getProperty("android_merged_manifest"))).documentElement
    }

    private fun all(name: String): List<Element> = manifest.getElementsByTagName(name).let { nodes -> (0 until nodes.length).map { nodes.item(it) as Element } }

    private val application get() = all("application").single()

    private fun link(uri: String) = Intent(Intent.ACTION_VIEW, Uri.parse(uri)).addCategory(Intent.CATEGORY_BROWSABLE)

    private fun opens(intent: Intent) =
        context.packageManager.resolveActivity(intent, PackageManager.MATCH_DEFAULT_ONLY)?.activityInfo?.name == MainActivity::class.java.name

    @Test
    fun `a link opens the app in any case of letters that is written, and no other does`() {
        for (uri in listOf("pairpin://p/ABC", "PAIRPIN://P/ABC", "Pairpin://P/ABC")) {
            assertTrue(opens(link(uri)), uri)
            assertEquals(uri, DeepLink.of(link(uri)))
        }
        for (uri in listOf("pairpinx://p/ABC", "https://example.org/pairpin")) {
            assertFalse(opens(link(uri)), uri)
            assertNull(DeepLink.of(link(uri)))
        }
        // In another case it is understood, but no intent filter can match it: Android compares letter by letter.
        assertEquals("pAiRpIn:x", DeepLink.of(link("pAiRpIn:x")))
        assertNull(DeepLink.of(Intent(Intent.ACTION_MAIN, Uri.parse("pairpin:x"))), "only what was opened as a link")
    }

    @Test
    fun `nothing is open to other apps but the activity`() {
        val components = listOf("activity", "service", "receiver", "provider").flatMap(::all)
        val exported = components.filter { it.getAttribute("android:exported") == "true" }.map { it.getAttribute("android:name") }
        assertEquals(listOf(MainActivity::class.java.name), exported)
        assertTrue(components.any { it.getAttribute("android:name") == StayConnectedService::class.java.name })
    }

    @Test
    fun `permissions are those that are explained`() {
        val asked = all("uses-permission").map { it.getAttribute("android:name").removePrefix("android.permission.") }
        val known =
            listOf(
                "INTERNET",
                "ACCESS_NETWORK_STATE",
                "CAMERA",
                "USE_BIOMETRIC",
                "POST_NOTIFICATIONS",
                "FOREGROUND_SERVICE",
                "FOREGROUND_SERVICE_CONNECTED_DEVICE",
                "CHANGE_NETWORK_STATE",
                // androidx.core's own, of this app for this app.
                "app.pairpin.DYNAMIC_RECEIVER_NOT_EXPORTED_PERMISSION",
            )
        assertEquals(known.toSet(), asked.toSet())
    }

    @Test
    fun `nothing is sent in the clear, and no authority is trusted`() {
        assertEquals("false", application.getAttribute("android:usesCleartextTraffic"))
        val config = read(R.xml.network_security_config)
        assertEquals(listOf("network-security-config", "base-config", "trust-anchors"), config.map { it.first })
        assertEquals("false", config.single { it.first == "base-config" }.second["cleartextTrafficPermitted"])
    }

    @Test
    fun `neither a backup nor a new phone is given anything`() {
        assertEquals("false", application.getAttribute("android:allowBackup"))
        assertEquals(0, context.applicationInfo.flags and ApplicationInfo.FLAG_ALLOW_BACKUP)
        assertEquals("@xml/data_extraction_rules", application.getAttribute("android:dataExtractionRules"))
        assertEquals("@xml/full_backup_content", application.getAttribute("android:fullBackupContent"))
        val rules = read(R.xml.data_extraction_rules)
        for (way in listOf("cloud-backup", "device-transfer")) {
            assertTrue(excludesAll(within(rules, way)), way)
        }
        assertTrue(excludesAll(read(R.xml.full_backup_content).drop(1)))
        // The control: one domain less, or one that is included, is noticed.
        assertFalse(excludesAll(within(rules, "cloud-backup").drop(1)))
        assertFalse(excludesAll(within(rules, "cloud-backup") + ("include" to mapOf("domain" to "file", "path" to "."))))
    }

    @Test
    fun `staying connected is off until the person says so`() {
        val told = mutableListOf<Boolean>()
        val preferences = PhonePreferences(context) { told += it }
        assertFalse(preferences.stayConnected.value)
        preferences.setStayConnected(true)
        preferences.setStayConnected(true)
        // The control: it is kept, and told once.
        assertTrue(PhonePreferences(context) {}.stayConnected.value)
        assertEquals(listOf(true), told)
        val service = all("service").single { it.getAttribute("android:name") == StayConnectedService::class.java.name }
        assertEquals("connectedDevice", service.getAttribute("android:foregroundServiceType"))
        assertNotNull(service)
    }

    private fun excludesAll(rules: List<Pair<String, Map<String, String>>>): Boolean {
        val domains = listOf("root", "file", "database", "sharedpref", "external")
        val wanted = (domains + domains.dropLast(1).map { "device_$it" }).toSet()
        return rules.all { (name, its) -> name == "exclude" && its["path"] == "." } && rules.map { it.second["domain"] }.toSet() == wanted
    }

    /** What stands within the element of that name. */
    private fun within(rules: List<Pair<String, Map<String, String>>>, name: String) =
        rules.dropWhile { it.first != name }.drop(1).takeWhile { it.first == "exclude" || it.first == "include" }

    /** The elements of a resource in order, with their attributes. */
    private fun read(id: Int): List<Pair<String, Map<String, String>>> {
        val parser = (context.resources as Resources).getXml(id)
        return buildList {
            while (parser.next() != XmlPullParser.END_DOCUMENT) {
                if (parser.eventType == XmlPullParser.START_TAG) {
                    add(parser.name to (0 until parser.attributeCount).associate { parser.getAttributeName(it) to parser.getAttributeValue(it) })
                }
            }
        }
    }
}
