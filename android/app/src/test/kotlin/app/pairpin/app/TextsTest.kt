package app.pairpin.app

import android.app.Application
import android.content.Context
import android.content.res.Configuration
import app.pairpin.app.texts.Line
import app.pairpin.app.texts.advice
import app.pairpin.core.PairpinException
import app.pairpin.core.RoleName
import java.io.File
import java.util.Locale
import javax.xml.parsers.DocumentBuilderFactory
import kotlin.test.assertEquals
import kotlin.test.assertNotEquals
import kotlin.test.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.w3c.dom.Element

/** Every text is in the resources, in every language; every error has its cause and its next step. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = Application::class)
class TextsTest {
    private val module = File(System.getProperty("pairpin.sources"))
    private val application = RuntimeEnvironment.getApplication() as Context

    private fun inLanguage(tag: String): Context =
        application.createConfigurationContext(Configuration().apply { setLocale(Locale.forLanguageTag(tag)) })

    // Errors.

    private val variants = PairpinException::class.java.declaredClasses.filter { PairpinException::class.java.isAssignableFrom(it) }

    private fun keyOf(variant: String) = "error_" + variant.replace(Regex("(?<=.)([A-Z])"), "_$1").lowercase()

    private fun lacks(key: String): List<String> =
        listOf("$key.cause" to key, "$key.step" to "${key}_step").filterNot { (_, name) ->
            listOf("string", "plurals").any { application.resources.getIdentifier(name, it, application.packageName) != 0 || inR(name) }
        }.map { it.first }

    private fun inR(name: String) =
        listOf(R.string::class.java, R.plurals::class.java).any { kind -> kind.fields.any { it.name == name } }

    @Test
    fun `every error has a cause and a next step`() {
        assertTrue(variants.size >= 40, "the errors are found: ${variants.size}")
        assertEquals(emptyList(), variants.flatMap { lacks(keyOf(it.simpleName)) })
        assertEquals(listOf("error_made_up.cause", "error_made_up.step"), lacks(keyOf("MadeUp")), "the control")
    }

    /** An error with something in each of its fields, and one with nothing where it may be. */
    private fun examples(variant: Class<*>): List<PairpinException> {
        val constructor = variant.declaredConstructors.filterNot { it.isSynthetic }.minBy { it.parameterCount }
        constructor.isAccessible = true
        fun some(type: Class<*>): Any? =
            when (type) {
                String::class.java -> "homebox"
                List::class.java -> listOf("one", "two")
                RoleName::class.java -> RoleName.VIEWER
                Int::class.java -> 2
                Long::class.javaObjectType, Long::class.java -> 120L
                else -> null
            }
        return listOf(constructor.newInstance(*constructor.parameterTypes.map(::some).toTypedArray()) as PairpinException)
    }

    private fun read(line: Line, context: Context): String =
        when (line) {
            is Line.One -> context.getString(line.id, *line.values.toTypedArray())
            is Line.Counted -> context.resources.getQuantityString(line.id, line.count, line.count)
            is Line.Said -> line.text
        }

    @Test
    fun `every error is said in full sentences in English and in German`() {
        val (english, german) = inLanguage("en") to inLanguage("de")
        for (error in variants.flatMap(::examples)) {
            val advice = advice(error)
            for (line in listOf(advice.cause, advice.step)) {
                val said = read(line, english)
                assertNotEquals(said, read(line, german), "not translated")
                assertTrue(said.length > 8 && "%" !in said, said)
            }
            assertTrue(read(advice.step, english).endsWith("."), read(advice.step, english))
        }
    }

    // Languages.

    private class Text(val parts: List<String>)

    private fun textsOf(folder: String): Map<String, Text> =
        module.resolve("src/main/res/$folder").listFiles().orEmpty().filter { it.extension == "xml" }.flatMap { file ->
            val root = DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(file).documentElement
            (0 until root.childNodes.length).map(root.childNodes::item).filterIsInstance<Element>()
                .filter { it.tagName in setOf("string", "plurals") && it.getAttribute("translatable") != "false" }
                .map { element ->
                    val items = element.getElementsByTagName("item")
                    val parts = if (items.length == 0) listOf(element.textContent) else (0 until items.length).map { items.item(it).textContent }
                    element.getAttribute("name") to Text(parts)
                }
        }.toMap()

    private fun fills(text: Text) = text.parts.map { part -> Regex("%\\d\\$[sd]").findAll(part).map { it.value }.toSet() }.toSet()

    private fun differences(english: Map<String, Text>, german: Map<String, Text>): List<String> =
        (english.keys - german.keys).map { "no German: $it" } +
            (german.keys - english.keys).map { "no English: $it" } +
            english.keys.intersect(german.keys).filter { fills(english.getValue(it)) != fills(german.getValue(it)) }.map { "other values: $it" }

    @Test
    fun `German has every text that English has, with the same values in it`() {
        val (english, german) = textsOf("values") to textsOf("values-de")
        assertTrue(english.size > 250, "the texts are found: ${english.size}")
        assertEquals(emptyList(), differences(english, german))
        val broken = german - "scan_title" + ("by" to Text(listOf("durch")))
        assertEquals(listOf("no German: scan_title", "other values: by"), differences(english, broken), "the control")
    }

    // Nothing beside the resources.

    /** Literals with a letter in them, in code that draws. What only the core and the system read is no text. */
    private fun literals(source: String): List<String> =
        source.lines().filterNot { it.trim().startsWith("//") || it.trim().startsWith("*") || it.trim().startsWith("/*") }
            .flatMap { line -> Regex("\"((?:[^\"\\\\]|\\\\.)*)\"").findAll(line).map { it.groupValues[1] } }
            .map { it.replace(Regex("\\$\\{[^}]*}|\\$\\w+"), "") }
            .filter { literal -> literal.any(Char::isLetter) }

    @Test
    fun `no screen shows a text that is not in the resources`() {
        val drawn = listOf("screens", "parts").flatMap { module.resolve("src/main/kotlin/app/pairpin/app/$it").walk().filter(File::isFile) }
        assertTrue(drawn.size >= 14, "the screens are found")
        assertEquals(emptyList(), drawn.flatMap { file -> literals(file.readText()).map { "${file.name}: $it" } })
        assertEquals(listOf("Pair"), literals("Text(\"Pair\") // \"x\"\n// \"no\"\n\"\$name\" + \" · \"").take(1), "the control")
    }
}
