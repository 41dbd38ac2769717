// The scanner: what the camera sees, and the ways without it: paste a link, type a code, ask to be let in.
package app.pairpin.app.screens

import androidx.compose.foundation.Canvas
import androidx.compose.foundation.background
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.aspectRatio
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.material3.FilledTonalIconToggleButton
import androidx.compose.material3.Icon
import androidx.compose.material3.IconButtonDefaults
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.draw.clip
import androidx.compose.ui.geometry.CornerRadius
import androidx.compose.ui.geometry.Offset
import androidx.compose.ui.geometry.Size
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.graphics.StrokeCap
import androidx.compose.ui.graphics.drawscope.DrawScope
import androidx.compose.ui.graphics.drawscope.Stroke
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.input.KeyboardType
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.unit.dp
import app.pairpin.app.R
import app.pairpin.app.parts.Banner
import app.pairpin.app.parts.Card
import app.pairpin.app.parts.Command
import app.pairpin.app.parts.Leads
import app.pairpin.app.parts.Line
import app.pairpin.app.parts.MainButton
import app.pairpin.app.parts.ScreenFrame
import app.pairpin.app.parts.SmallButton
import app.pairpin.app.parts.Tone
import app.pairpin.app.parts.Typed
import app.pairpin.app.texts.advice
import app.pairpin.app.texts.text
import app.pairpin.app.theme.Icons
import app.pairpin.app.theme.Mono
import app.pairpin.shell.CameraAccess
import app.pairpin.shell.ScanScreen
import app.pairpin.shell.Torch

/** What can be done while scanning. */
data class ScanActions(
    val back: () -> Unit = {},
    val torch: (Boolean) -> Unit = {},
    val paste: () -> Unit = {},
    val typeCode: () -> Unit = {},
    val ask: () -> Unit = {},
    val allowCamera: () -> Unit = {},
    val phoneSettings: () -> Unit = {},
)

/** The scanner; `view` draws what the camera sees. */
@Composable
fun ScanContent(state: ScanScreen, nothingToPaste: Boolean, can: ScanActions, view: @Composable (Modifier) -> Unit = {}) {
    ScreenFrame(stringResource(R.string.scan_title), back = can.back) {
        state.problem?.let { problem ->
            val advice = advice(problem)
            Banner(Tone.Warn, advice.cause.text(), advice.step.text())
        }
        if (state.camera == CameraAccess.Allowed) Viewfinder(state.torch, can.torch, view) else NoView(state.camera, can)
        if (nothingToPaste) Banner(Tone.Plain, stringResource(R.string.paste_nothing), stringResource(R.string.paste_nothing_step))
        Card {
            Leads(Icons.Paste, stringResource(R.string.scan_paste), can.paste, stringResource(R.string.scan_paste_note))
            Line()
            Leads(Icons.Keyboard, stringResource(R.string.scan_code), can.typeCode, stringResource(R.string.scan_code_note))
            Line()
            Leads(Icons.Door, stringResource(R.string.scan_ask), can.ask, stringResource(R.string.scan_ask_note))
        }
    }
}

@Composable
private fun Viewfinder(torch: Torch, switch: (Boolean) -> Unit, view: @Composable (Modifier) -> Unit) {
    Box(Modifier.fillMaxWidth().aspectRatio(1f).clip(MaterialTheme.shapes.large).background(Dusk)) {
        view(Modifier.fillMaxSize())
        Canvas(Modifier.fillMaxSize().padding(start = 52.dp, end = 52.dp, top = 32.dp, bottom = 72.dp)) { corners() }
        Text(
            stringResource(R.string.scan_hint),
            Modifier
                .align(Alignment.BottomCenter)
                .padding(12.dp)
                .clip(MaterialTheme.shapes.small)
                .background(Dusk.copy(alpha = 0.8f))
                .padding(horizontal = 12.dp, vertical = 6.dp),
            style = MaterialTheme.typography.bodyMedium,
            color = Color.White,
            textAlign = TextAlign.Center,
        )
        if (torch != Torch.None) {
            val on = torch == Torch.On
            FilledTonalIconToggleButton(
                on,
                switch,
                Modifier.align(Alignment.TopEnd).padding(8.dp).size(48.dp),
                colors = IconButtonDefaults.filledTonalIconToggleButtonColors(),
            ) {
                Icon(Icons.Torch, stringResource(if (on) R.string.torch_off else R.string.torch_on))
            }
        }
    }
}

private val Dusk = Color(0xFF101513)

/** Four corners: where the QR belongs. */
private fun DrawScope.corners() {
    val arm = size.minDimension / 5
    val line = 4.dp.toPx()
    for (right in listOf(false, true)) {
        for (low in listOf(false, true)) {
            val x = if (right) size.width else 0f
            val y = if (low) size.height else 0f
            val dx = if (right) -arm else arm
            val dy = if (low) -arm else arm
            drawLine(Color.White, Offset(x, y), Offset(x + dx, y), line, StrokeCap.Round)
            drawLine(Color.White, Offset(x, y), Offset(x, y + dy), line, StrokeCap.Round)
        }
    }
    drawRoundRect(Color.White.copy(alpha = 0.15f), Offset.Zero, Size(size.width, size.height), CornerRadius(2f), Stroke(1.dp.toPx()))
}

@Composable
private fun NoView(access: CameraAccess, can: ScanActions) {
    val (title, text) =
        when (access) {
            CameraAccess.NotAsked, CameraAccess.Allowed -> R.string.camera_not_asked to R.string.camera_not_asked_text
            CameraAccess.Refused -> R.string.camera_refused to R.string.camera_refused_text
            CameraAccess.RefusedForGood -> R.string.camera_refused to R.string.camera_refused_for_good_text
            CameraAccess.NoCamera -> R.string.camera_none to R.string.camera_none_text
        }
    Banner(Tone.Plain, stringResource(title), stringResource(text), Icons.Scan) {
        when (access) {
            CameraAccess.NotAsked, CameraAccess.Refused -> SmallButton(stringResource(R.string.camera_allow), can.allowCamera)
            CameraAccess.RefusedForGood -> SmallButton(stringResource(R.string.phone_settings), can.phoneSettings)
            CameraAccess.NoCamera, CameraAccess.Allowed -> Unit
        }
    }
}

/** The address and the code of a machine, typed. */
@Composable
fun CodeContent(back: () -> Unit, typed: (String, String) -> Unit, firstAddress: String = "", firstCode: String = "") {
    var address by rememberSaveable { mutableStateOf(firstAddress) }
    // A secret: not into the saved state, which the system may write to the disk.
    var code by remember { mutableStateOf(firstCode) }
    val ready = address.isNotBlank() && code.isNotBlank()
    ScreenFrame(
        stringResource(R.string.code_title),
        back,
        end = { MainButton(stringResource(R.string.go_on), { typed(address, code) }, enabled = ready) },
    ) {
        Text(stringResource(R.string.code_text), style = MaterialTheme.typography.bodyLarge)
        Command(stringResource(R.string.command_pair_code))
        Column(Modifier.heightIn(min = 8.dp), Arrangement.spacedBy(12.dp)) {
            Typed(
                address,
                { address = it },
                stringResource(R.string.code_address),
                stringResource(R.string.code_address_note),
                KeyboardType.Uri,
                style = Mono,
            )
            Typed(
                code,
                { code = it },
                stringResource(R.string.code_code),
                stringResource(R.string.code_code_note),
                KeyboardType.Number,
                style = Mono,
                done = { if (ready) typed(address, code) },
            )
        }
    }
}
