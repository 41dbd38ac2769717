// What is wrong with a screen for somebody who cannot see it well, or whose fingers are large.
package app.pairpin.app

import androidx.compose.ui.semantics.SemanticsActions
import androidx.compose.ui.semantics.SemanticsNode
import androidx.compose.ui.semantics.SemanticsProperties
import androidx.compose.ui.semantics.getOrNull
import androidx.compose.ui.test.SemanticsNodeInteractionsProvider
import androidx.compose.ui.test.isRoot
import androidx.compose.ui.text.TextLayoutResult

private const val FINGER = 48
private const val ROUNDING = 0.5f

/** Everything that is wrong with what is shown. */
fun SemanticsNodeInteractionsProvider.faults(): List<String> {
    val merged = onAllNodes(isRoot()).fetchSemanticsNodes().flatMap(::below)
    val single = onAllNodes(isRoot(), useUnmergedTree = true).fetchSemanticsNodes().flatMap(::below)
    return merged.filter(::isTapped).flatMap { unnamed(it) + tooSmall(it) } + single.flatMap { cutOff(it) + outside(it) }
}

private fun below(node: SemanticsNode): List<SemanticsNode> = listOf(node) + node.children.flatMap(::below)

private fun isTapped(node: SemanticsNode) =
    node.config.contains(SemanticsActions.OnClick) || node.config.contains(SemanticsProperties.ToggleableState)

private fun wordsOf(node: SemanticsNode): String =
    with(node.config) {
        listOf(
            getOrNull(SemanticsProperties.ContentDescription).orEmpty().joinToString(" "),
            getOrNull(SemanticsProperties.Text).orEmpty().joinToString(" "),
        ).joinToString(" ").trim()
    }

private fun unnamed(node: SemanticsNode): List<String> =
    if (wordsOf(node).isEmpty()) listOf("something at ${node.boundsInRoot} can be tapped and has no label") else emptyList()

private fun tooSmall(node: SemanticsNode): List<String> {
    val least = FINGER * node.layoutInfo.density.density - ROUNDING
    val (width, height) = node.size.width.toFloat() to node.size.height.toFloat()
    return if (width < least || height < least) listOf("\"${wordsOf(node)}\" is smaller than a finger: $width x $height") else emptyList()
}

private fun cutOff(node: SemanticsNode): List<String> {
    val layouts = mutableListOf<TextLayoutResult>()
    node.config.getOrNull(SemanticsActions.GetTextLayoutResult)?.action?.invoke(layouts)
    return layouts.filter(::isCutOff).map { "\"${it.layoutInput.text}\" is cut off" }
}

// A paragraph is as wide as it might be, its node as wide as its lines: only the lines count.
private fun isCutOff(layout: TextLayoutResult): Boolean {
    val lines = 0 until layout.lineCount
    return layout.didOverflowHeight ||
        lines.any { layout.isLineEllipsized(it) || layout.getLineRight(it) - layout.getLineLeft(it) > layout.size.width + 1 }
}

/** What scrolls may be below the screen; nothing may be beside it. */
private fun outside(node: SemanticsNode): List<String> {
    val width = generateSequence(node) { it.parent }.last().size.width
    val left = node.positionInRoot.x
    return if (left < -ROUNDING || left + node.size.width > width + ROUNDING) listOf("\"${wordsOf(node)}\" reaches beside the screen") else emptyList()
}
