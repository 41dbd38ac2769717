// The frame of every screen: a bar with its name, a column that scrolls where it has to, and what the person can do at
// its end. On a wide screen the column stays as wide as is good to read.
package app.pairpin.app.parts

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.BoxWithConstraints
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ColumnScope
import androidx.compose.foundation.layout.PaddingValues
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.RowScope
import androidx.compose.foundation.layout.WindowInsets
import androidx.compose.foundation.layout.WindowInsetsSides
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.layout.imePadding
import androidx.compose.foundation.layout.only
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.safeDrawing
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.layout.widthIn
import androidx.compose.foundation.layout.windowInsetsPadding
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.Icon
import androidx.compose.material3.IconButton
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Scaffold
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.unit.dp
import app.pairpin.app.R
import app.pairpin.app.theme.Icons

/** How wide a column of text gets at most. */
internal val ReadableWidth = 600.dp

/**
 * A screen with a name. `actions` stand in the bar, `end` at the foot: at the bottom of the screen where there is room,
 * after the content where there is none.
 */
@Composable
fun ScreenFrame(
    title: String,
    back: (() -> Unit)? = null,
    leaving: Boolean = false,
    colour: Color = MaterialTheme.colorScheme.background,
    actions: @Composable RowScope.() -> Unit = {},
    floating: @Composable () -> Unit = {},
    end: (@Composable ColumnScope.() -> Unit)? = null,
    content: @Composable ColumnScope.() -> Unit,
) {
    Scaffold(
        containerColor = colour,
        floatingActionButton = floating,
        topBar = { Bar(title, back, leaving, actions) },
    ) { around ->
        BoxWithConstraints(Modifier.fillMaxSize().padding(around).imePadding(), Alignment.TopCenter) {
            Column(
                Modifier
                    .verticalScroll(rememberScrollState())
                    .heightIn(min = maxHeight)
                    .widthIn(max = ReadableWidth)
                    .fillMaxWidth()
                    .padding(PaddingValues(start = 20.dp, end = 20.dp, top = 4.dp, bottom = 24.dp)),
                verticalArrangement = Arrangement.SpaceBetween,
            ) {
                Column(Modifier.fillMaxWidth(), Arrangement.spacedBy(16.dp), content = content)
                if (end != null) {
                    Column(
                        Modifier.fillMaxWidth().padding(top = 24.dp),
                        Arrangement.spacedBy(12.dp),
                        content = end,
                    )
                }
            }
        }
    }
}

/** As high as its text needs, however large that is. */
@Composable
private fun Bar(title: String, back: (() -> Unit)?, leaving: Boolean, actions: @Composable RowScope.() -> Unit) {
    Box(
        Modifier
            .fillMaxWidth()
            .windowInsetsPadding(WindowInsets.safeDrawing.only(WindowInsetsSides.Top + WindowInsetsSides.Horizontal)),
        Alignment.Center,
    ) {
        Row(
            Modifier
                .widthIn(max = ReadableWidth)
                .fillMaxWidth()
                .heightIn(min = 64.dp)
                .padding(start = if (back == null) 20.dp else 4.dp, end = 8.dp),
            verticalAlignment = Alignment.CenterVertically,
        ) { InBar(title, back, leaving, actions) }
    }
}

@Composable
private fun RowScope.InBar(title: String, back: (() -> Unit)?, leaving: Boolean, actions: @Composable RowScope.() -> Unit) {
    if (back != null) {
        val word = stringResource(if (leaving) R.string.close else R.string.back)
        IconButton(back, Modifier.size(48.dp)) { Icon(if (leaving) Icons.Close else Icons.Back, word) }
    }
    Text(
        title,
        Modifier.weight(1f).padding(start = if (back == null) 0.dp else 8.dp, top = 8.dp, bottom = 8.dp).semantics { heading() },
        style = if (back == null) MaterialTheme.typography.headlineMedium else MaterialTheme.typography.titleLarge,
    )
    actions()
}

/** In the middle of the rest of the screen: for what has nothing else to show. */
@Composable
fun Middle(content: @Composable ColumnScope.() -> Unit) {
    Box(Modifier.fillMaxWidth().padding(top = 64.dp), Alignment.Center) {
        Column(
            Modifier.fillMaxWidth(),
            Arrangement.spacedBy(16.dp),
            Alignment.CenterHorizontally,
            content,
        )
    }
}
