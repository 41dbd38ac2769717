// A line of text, before anybody knows in which language.
package app.pairpin.app.texts

import androidx.annotation.PluralsRes
import androidx.annotation.StringRes
import androidx.compose.runtime.Composable
import androidx.compose.ui.res.pluralStringResource
import androidx.compose.ui.res.stringResource

/** A text of the resources, with what is put into it. */
sealed interface Line {
    /** One text. */
    data class One(@param:StringRes val id: Int, val values: List<Any> = emptyList()) : Line

    /** A text that depends on a count. */
    data class Counted(@param:PluralsRes val id: Int, val count: Int) : Line

    /** A text that was written elsewhere: what somebody says, never ours. */
    data class Said(val text: String) : Line
}

/** A text of the resources. */
internal fun line(@StringRes id: Int, vararg values: Any): Line = Line.One(id, values.toList())

/** In the language of the screen. */
@Composable
fun Line.text(): String =
    when (this) {
        is Line.One -> stringResource(id, *values.toTypedArray())
        is Line.Counted -> pluralStringResource(id, count, count)
        is Line.Said -> text
    }
