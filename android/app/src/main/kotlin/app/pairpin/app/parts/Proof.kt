// What a person compares or types: fingerprints, digits, commands, and the picture of a QR.
package app.pairpin.app.parts

import androidx.compose.foundation.Canvas
import androidx.compose.foundation.background
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.aspectRatio
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.widthIn
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Surface
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.CompositionLocalProvider
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.draw.clip
import androidx.compose.ui.geometry.Offset
import androidx.compose.ui.geometry.Size
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.platform.LocalLayoutDirection
import androidx.compose.ui.semantics.clearAndSetSemantics
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.unit.LayoutDirection
import androidx.compose.ui.unit.dp
import androidx.compose.ui.unit.sp
import app.pairpin.app.theme.Digits
import app.pairpin.app.theme.Mono
import app.pairpin.core.QrModules

/** A key fingerprint: its groups stay whole, four in a row where there is room. Letters run from left to right. */
@OptIn(ExperimentalLayoutApi::class)
@Composable
fun Fingerprint(text: String, colour: Color = MaterialTheme.colorScheme.onSurface) {
    CompositionLocalProvider(LocalLayoutDirection provides LayoutDirection.Ltr) {
        FlowRow(
            Modifier.clearAndSetSemantics { contentDescription = text },
            Arrangement.spacedBy(16.dp),
            Arrangement.spacedBy(4.dp),
            maxItemsInEachRow = 4,
        ) {
            for (group in text.split(' ')) Text(group, style = Compared, color = colour)
        }
    }
}

private val Compared = Mono.copy(fontSize = 17.sp, lineHeight = 24.sp, fontWeight = FontWeight.Medium)

/** A fingerprint with what it is. */
@Composable
fun FingerprintFact(label: String, text: String, colour: Color = MaterialTheme.colorScheme.onSurface) {
    Column(Modifier.fillMaxWidth().padding(horizontal = 16.dp, vertical = 12.dp), Arrangement.spacedBy(6.dp)) {
        Text(label, style = MaterialTheme.typography.bodySmall, color = MaterialTheme.colorScheme.onSurfaceVariant)
        Fingerprint(text, colour)
    }
}

/** Digits to be compared or typed, large; read aloud one by one. */
@Composable
fun DigitsShown(digits: String) {
    Surface(Modifier.fillMaxWidth(), MaterialTheme.shapes.medium, MaterialTheme.colorScheme.primaryContainer) {
        Box(Modifier.padding(vertical = 20.dp, horizontal = 8.dp), Alignment.Center) {
            Text(
                digits,
                Modifier.semantics { contentDescription = digits.toList().joinToString(" ") },
                style = Digits,
                color = MaterialTheme.colorScheme.onPrimaryContainer,
            )
        }
    }
}

/** A command to type at the machine. */
@Composable
fun Command(text: String) {
    Text(
        text,
        Modifier
            .clip(MaterialTheme.shapes.extraSmall)
            .background(MaterialTheme.colorScheme.surfaceContainerHighest)
            .padding(horizontal = 10.dp, vertical = 6.dp),
        style = Mono,
        color = MaterialTheme.colorScheme.onSurface,
    )
}

/** The picture of a QR: black on white in every theme, with four modules of quiet around. */
@Composable
fun QrPicture(modules: QrModules, about: String) {
    val side = modules.side.toInt()
    Box(Modifier.fillMaxWidth(), Alignment.Center) {
        Canvas(
            Modifier
                .widthIn(max = 340.dp)
                .fillMaxWidth()
                .aspectRatio(1f)
                .clip(MaterialTheme.shapes.small)
                .background(Color.White)
                .semantics { contentDescription = about },
        ) {
            val module = size.minDimension / (side + 2 * QUIET)
            for (y in 0 until side) {
                for (x in 0 until side) {
                    if (modules.dark[y * side + x] == 1.toByte()) {
                        // A hair larger than a module, so that no line of white shows between two.
                        drawRect(
                            Color.Black,
                            Offset((x + QUIET) * module, (y + QUIET) * module),
                            Size(module + 0.5f, module + 0.5f),
                        )
                    }
                }
            }
        }
    }
}

private const val QUIET = 4
