// The icons, drawn as lines of two units on a square of 24: no artifact of icons is needed.
package app.pairpin.app.theme

import androidx.compose.ui.graphics.Color
import androidx.compose.ui.graphics.SolidColor
import androidx.compose.ui.graphics.StrokeCap
import androidx.compose.ui.graphics.StrokeJoin
import androidx.compose.ui.graphics.vector.ImageVector
import androidx.compose.ui.graphics.vector.addPathNodes
import androidx.compose.ui.unit.dp

/** Every icon of the app. Those that point are turned round where text runs from right to left. */
object Icons {
    val Machine = lines("M4 4h16v6H4z M4 14h16v6H4z M8 7h.01 M8 17h.01 M12 7h5 M12 17h5")
    val Phone = lines("M8 2h8a2 2 0 0 1 2 2v16a2 2 0 0 1 -2 2H8a2 2 0 0 1 -2 -2V4a2 2 0 0 1 2 -2z M11 18h2")
    val Laptop = lines("M5 5h14v10H5z M2 19h20")
    val Devices = lines("M3 5h12v9H3z M2 18h9 M17 9h4a1 1 0 0 1 1 1v9a1 1 0 0 1 -1 1h-4a1 1 0 0 1 -1 -1v-9a1 1 0 0 1 1 -1z")
    val Scan =
        lines("M4 8V5a1 1 0 0 1 1 -1h3 M16 4h3a1 1 0 0 1 1 1v3 M20 16v3a1 1 0 0 1 -1 1h-3 M8 20H5a1 1 0 0 1 -1 -1v-3 M8 8h3v3H8z M14 14h2v2h-2z M14 8h2 M8 15v1")
    val Back = lines("M19 12H5 M11 6l-6 6l6 6", mirrored = true)
    val Forward = lines("M9 6l6 6l-6 6", mirrored = true)
    val Close = lines("M6 6l12 12 M18 6L6 18")
    val Check = lines("M5 12.5l4.5 4.5L19 7.5")
    val Inbox = lines("M3 13l3.5 -8h11L21 13v5a1 1 0 0 1 -1 1H4a1 1 0 0 1 -1 -1z M3 13h5.5l1.5 3h4l1.5 -3H21")
    val Settings =
        lines("M4 7h9 M17 7h3 M4 17h3 M11 17h9 M15 5a2 2 0 1 1 0 4a2 2 0 1 1 0 -4z M9 15a2 2 0 1 1 0 4a2 2 0 1 1 0 -4z")
    val Torch = lines("M8 3h8v4l-2 3v11h-4V10L8 7z M8 7h8 M12 13v2")
    val Paste = lines("M9 4H6a1 1 0 0 0 -1 1v15a1 1 0 0 0 1 1h12a1 1 0 0 0 1 -1V5a1 1 0 0 0 -1 -1h-3 M9 3h6v3H9z M9 12h6 M9 16h4")
    val Keyboard = lines("M3 6h18v12H3z M7 10h.01 M11 10h.01 M15 10h.01 M7 14h10")
    val Door = lines("M6 21V4a1 1 0 0 1 1 -1h10a1 1 0 0 1 1 1v17 M3 21h18 M14 12h.01")
    val Key = lines("M8 11a4 4 0 1 0 0 8a4 4 0 1 0 0 -8z M11 12l8 -8 M16 7l3 3")
    val Warning = lines("M12 4L2.5 20h19z M12 10v4 M12 17h.01")
    val Stop = lines("M8 3h8l5 5v8l-5 5H8l-5 -5V8z M12 8v5 M12 16h.01")
    val Shield = lines("M12 3l8 3v6c0 5 -3.5 8 -8 9c-4.5 -1 -8 -4 -8 -9V6z M8.5 12l2.5 2.5L15.5 10")
    val Question = lines("M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0 -18z M9.5 9.5a2.5 2.5 0 1 1 3.5 2.3c-.7 .3 -1 .8 -1 1.7 M12 17h.01")
    val Edit = lines("M4 20l1 -4L16 5l3 3L8 19z M14 7l3 3")
    val Trash = lines("M4 7h16 M9 7V4h6v3 M6 7l1 13h10l1 -13 M10 11v5 M14 11v5")
    val Clock = lines("M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0 -18z M12 7v5l3 2")
    val Offline = lines("M4 4l16 16 M5 12a10 10 0 0 1 4 -2.6 M13.5 9.2a10 10 0 0 1 5.5 2.8 M8.5 15.5a5 5 0 0 1 5 -1 M12 19h.01")
    val Plus = lines("M12 5v14 M5 12h14")
    val Bell = lines("M6 17V11a6 6 0 0 1 12 0v6l1.5 1.5h-15z M10 21h4")
    val Eye = lines("M2.5 12c2 -4 5.5 -6 9.5 -6s7.5 2 9.5 6c-2 4 -5.5 6 -9.5 6s-7.5 -2 -9.5 -6z M12 9.5a2.5 2.5 0 1 1 0 5a2.5 2.5 0 1 1 0 -5z")
    val Speech = lines("M4 4h16v12H11l-4 4v-4H4z M8 8.5h8 M8 12h5")
    val Copy = lines("M9 9h11v11H9z M5 15H4V4h11v1")

    private fun lines(path: String, mirrored: Boolean = false): ImageVector =
        ImageVector.Builder(
            defaultWidth = 24.dp,
            defaultHeight = 24.dp,
            viewportWidth = 24f,
            viewportHeight = 24f,
            autoMirror = mirrored,
        ).addPath(
            addPathNodes(path),
            stroke = SolidColor(Color.Black),
            strokeLineWidth = 1.8f,
            strokeLineCap = StrokeCap.Round,
            strokeLineJoin = StrokeJoin.Round,
        ).build()
}
