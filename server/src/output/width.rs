//! The columns that a text takes on a terminal: names come from everywhere, and a table or a redrawn
//! screen that counts letters instead falls apart at the first Chinese name or emoji.
//!
//! Used by `table` and by the offer's screen.

/// The columns of a text without control characters.
pub fn columns(text: &str) -> usize {
    text.chars().map(column).sum()
}

/// The text, or as much of it as fits with `…` at the end.
pub fn clip(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut out = take(text, width.saturating_sub(1)).to_owned();
    out.push('…');
    out
}

/// The longest beginning that fits.
pub fn take(text: &str, width: usize) -> &str {
    let mut used = 0;
    let end = text.char_indices().find(|(_, c)| {
        used += column(*c);
        used > width
    });
    end.map_or(text, |(index, _)| &text[..index])
}

/// The text with blanks behind it up to this width.
pub fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))))
}

/// The columns of one character: the blocks that Unicode's East Asian Width calls wide (W and F) and
/// the emoji take two, combining marks none. Blocks rather than the whole table: a rare letter in
/// between costs a crooked line and nothing else.
fn column(c: char) -> usize {
    match c {
        '\u{0300}'..='\u{036F}'
        | '\u{0483}'..='\u{0489}'
        | '\u{0591}'..='\u{05BD}'
        | '\u{064B}'..='\u{065F}'
        | '\u{0E31}'
        | '\u{0E34}'..='\u{0E3A}'
        | '\u{0E47}'..='\u{0E4E}'
        | '\u{1AB0}'..='\u{1AFF}'
        | '\u{1DC0}'..='\u{1DFF}'
        | '\u{20D0}'..='\u{20FF}'
        | '\u{FE20}'..='\u{FE2F}' => 0,
        '\u{1100}'..='\u{115F}'
        | '\u{231A}'..='\u{231B}'
        | '\u{23E9}'..='\u{23EC}'
        | '\u{2614}'..='\u{2615}'
        | '\u{26A1}'
        | '\u{26BD}'..='\u{26BE}'
        | '\u{26C4}'..='\u{26C5}'
        | '\u{2705}'
        | '\u{2728}'
        | '\u{274C}'
        | '\u{2753}'..='\u{2755}'
        | '\u{2757}'
        | '\u{2795}'..='\u{2797}'
        | '\u{2B50}'
        | '\u{2B55}'
        | '\u{2E80}'..='\u{303E}'
        | '\u{3041}'..='\u{A4CF}'
        | '\u{A960}'..='\u{A97F}'
        | '\u{AC00}'..='\u{D7A3}'
        | '\u{F900}'..='\u{FAFF}'
        | '\u{FE30}'..='\u{FE6F}'
        | '\u{FF00}'..='\u{FF60}'
        | '\u{FFE0}'..='\u{FFE6}'
        | '\u{17000}'..='\u{18CFF}'
        | '\u{1B000}'..='\u{1B2FF}'
        | '\u{1F004}'
        | '\u{1F0CF}'
        | '\u{1F18E}'
        | '\u{1F191}'..='\u{1F19A}'
        | '\u{1F1E6}'..='\u{1F320}'
        | '\u{1F32D}'..='\u{1F64F}'
        | '\u{1F680}'..='\u{1F6FF}'
        | '\u{1F7E0}'..='\u{1F7EB}'
        | '\u{1F900}'..='\u{1F9FF}'
        | '\u{1FA70}'..='\u{1FAFF}'
        | '\u{20000}'..='\u{3FFFD}' => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_letters_and_emoji_take_two_columns_and_marks_none() {
        for (text, width) in [("Pixel 9", 7), ("手机", 4), ("한국어", 6), ("😀", 2), ("Zoe\u{308}", 3), ("█▀", 2)]
        {
            assert_eq!(columns(text), width, "{text}");
        }
    }

    #[test]
    fn what_is_clipped_fits_and_says_that_it_is() {
        assert_eq!(clip("手机手机", 5), "手机…");
        assert_eq!(clip("手机手机", 4), "手…");
        assert_eq!(clip("手机", 4), "手机");
        assert_eq!(padded("手", 4), "手  ");
    }
}
