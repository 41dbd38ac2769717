//! Names and other short texts that come from the other side or from a person, made safe to show.
//!
//! A device names itself, and a terminal, a list or a phone's screen shows that name: so no control
//! characters, nothing that turns the direction of writing, nothing invisible, one line, bounded.
//! `store` calls these for every name it keeps, for platforms and for reasons.

use crate::identity::DeviceId;
use crate::wire::limits;

/// A device's name, cleaned: [`clean`] at [`limits::NAME`], or "device" where nothing is left.
pub fn clean_name(text: &str) -> String {
    clean(text, limits::NAME).unwrap_or_else(|| "device".to_owned())
}

/// A machine's name, cleaned: [`clean`] at [`limits::NAME`], or "machine" where nothing is left.
pub fn clean_machine_name(text: &str) -> String {
    clean(text, limits::NAME).unwrap_or_else(|| "machine".to_owned())
}

/// A platform as the other side tells it ("Debian 12, x86_64"), cleaned, or "unknown".
pub fn clean_platform(text: &str) -> String {
    clean(text, 2 * limits::NAME).unwrap_or_else(|| "unknown".to_owned())
}

/// A sentence from a person or the other side, such as the reason of a revocation, cleaned and cut at
/// 200 characters; `None` where nothing is left.
pub fn clean_sentence(text: &str) -> Option<String> {
    clean(text, 200)
}

/// One line of at most `max` characters without control, format or invisible characters, white space
/// collapsed to single blanks; `None` where nothing is left.
pub fn clean(text: &str, max: usize) -> Option<String> {
    let mut out = String::new();
    let mut length = 0;
    let mut gap = false;
    for c in text.chars() {
        if c.is_whitespace() {
            gap = true;
            continue;
        }
        if c.is_control() || is_invisible(c) {
            continue;
        }
        let blank = gap && length > 0;
        let needed = if blank { 2 } else { 1 };
        if length + needed > max {
            break;
        }
        if blank {
            out.push(' ');
        }
        out.push(c);
        length += needed;
        gap = false;
    }
    if out.is_empty() { None } else { Some(out) }
}

/// What stands for characters that are not shown.
const MARK: char = '\u{FFFD}';

/// One line, cleaned as [`clean`] does it but for what it leaves out: in its place stands a `�`. For what a person
/// says yes to, where two texts that differ must not look the same: a command and another with something invisible
/// in it. `None` where there is nothing but white space.
pub fn clean_showing(text: &str) -> Option<String> {
    let mut marked = String::with_capacity(text.len());
    for c in text.chars() {
        let hidden = !c.is_whitespace() && (c.is_control() || is_invisible(c));
        // Behind a symbol these are how emoji are written, and go without a mark.
        let of_emoji = matches!(c, '\u{200D}' | '\u{FE0E}' | '\u{FE0F}')
            && marked.chars().next_back().is_some_and(|before| before >= '\u{2190}' && !before.is_alphanumeric());
        if !hidden {
            marked.push(c);
        } else if !of_emoji && !marked.ends_with(MARK) {
            // One for as many as there are: nothing grows by what cannot be seen.
            marked.push(MARK);
        }
    }
    clean(&marked, usize::MAX)
}

/// Whether a person can read anything in what [`clean_showing`] has made.
pub fn says_something(text: &str) -> bool {
    text.chars().any(|c| c != MARK && c != ' ')
}

/// `name`, or where it is taken the first free one of "name 2", "name 3" and so on, cut so that it stays
/// within [`limits::NAME`].
///
/// # Errors
/// Those of `is_taken`.
pub fn free_name<E>(name: &str, mut is_taken: impl FnMut(&str) -> Result<bool, E>) -> Result<String, E> {
    let mut candidate = name.to_owned();
    let mut number = 1_u64;
    while is_taken(&candidate)? {
        number += 1;
        let suffix = format!(" {number}");
        let room = limits::NAME.saturating_sub(suffix.chars().count());
        let stem: String = name.chars().take(room).collect();
        candidate = format!("{}{suffix}", stem.trim_end());
    }
    Ok(candidate)
}

/// The form in which names are compared: two names that differ in case alone are the same name.
pub fn name_key(name: &str) -> String {
    name.to_lowercase()
}

/// A name in quotation marks, for a sentence: none in it may end them, or the name could go on as the
/// sentence does.
pub fn quoted(name: &str) -> String {
    format!("“{}”", name.replace(['“', '”', '„', '‟', '"', '＂'], "'"))
}

/// Characters of Unicode's general category Cf (bidi controls, joiners, tags), and others that show
/// nothing or a blank: with them two names could look the same, or a line could read backwards.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{034F}' | '\u{0600}'..='\u{0605}' | '\u{061C}' | '\u{06DD}' | '\u{070F}'
        | '\u{0890}'..='\u{0891}' | '\u{08E2}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
        | '\u{110BD}' | '\u{110CD}' | '\u{13430}'..='\u{1343F}' | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Why [`select`] found nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unselected {
    /// Nobody has that name or id.
    Nobody,
    /// The beginning of an id fits several.
    Several,
}

/// Finds one device: by its id, its exact name, or an unambiguous beginning of its id. Devices name
/// themselves, so a name never takes the place of another device's id.
///
/// # Errors
/// See [`Unselected`].
pub fn select<'a, T>(
    all: &'a [T],
    selector: &str,
    of: impl Fn(&'a T) -> (DeviceId, &'a str),
) -> Result<&'a T, Unselected> {
    let wanted = selector.trim().to_lowercase();
    if let Some(device) = all.iter().find(|device| of(device).0.text() == wanted) {
        return Ok(device);
    }
    let fits = |device: &&'a T| {
        let (id, name) = of(device);
        name_key(name) == name_key(selector.trim()) || (wanted.len() >= 4 && id.text().starts_with(&wanted))
    };
    let mut found = all.iter().filter(fits);
    match (found.next(), found.next()) {
        (Some(device), None) => Ok(device),
        (Some(_), Some(_)) => Err(Unselected::Several),
        (None, _) => Err(Unselected::Nobody),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_without_anything_that_moves_or_hides_text() {
        for (text, name) in [
            ("  My \t phone\r\n", "My phone"),
            ("\u{1b}[31mred\u{7}", "[31mred"),
            ("abc\u{202E}exe.txt", "abcexe.txt"),
            ("a\u{200B}b\u{2066}c\u{FEFF}", "abc"),
            ("line\u{2028}two", "line two"),
            ("a\u{85}b", "a b"),
            ("Büro-Ñandú 電話", "Büro-Ñandú 電話"),
            ("", "device"),
            (" \u{200D}\u{3164}\u{0} ", "device"),
        ] {
            assert_eq!(clean_name(text), name, "{text:?}");
        }
        assert_eq!(clean_machine_name("\u{202E}"), "machine");
    }

    #[test]
    fn what_is_not_shown_of_a_question_leaves_a_mark() {
        assert_eq!(clean_showing(" ./deploy.sh  now\n").as_deref(), Some("./deploy.sh now"));
        for hidden in
            ["./deploy\u{200B}.sh", "./deploy\u{202E}\u{2066}.sh", "./deploy\u{1b}.sh", "./deploy\u{E0041}.sh"]
        {
            assert_eq!(clean_showing(hidden).as_deref(), Some("./deploy�.sh"), "{hidden:?}");
        }
        assert_eq!(clean_showing("\u{200B}").filter(|text| says_something(text)), None);
        assert_eq!(clean_showing(" \n"), None);
        assert_eq!(clean_showing("\u{26A0}\u{FE0F} 👩\u{200D}🔧 go").as_deref(), Some("\u{26A0} 👩🔧 go"));
        let once = clean_showing("a\u{200B} �b\u{7}\u{7}").unwrap();
        assert_eq!((clean_showing(&once).as_deref(), once.as_str()), (Some(once.as_str()), "a� �b�"));
    }

    #[test]
    fn a_name_is_cut_at_its_limit_and_does_not_end_in_a_blank() {
        assert_eq!(clean_name(&"ä".repeat(100)).chars().count(), limits::NAME);
        let cut = clean_name(&format!("{} b", "a".repeat(limits::NAME - 1)));
        assert_eq!(cut, "a".repeat(limits::NAME - 1));
    }

    #[test]
    fn a_name_cannot_end_its_quotation_marks() {
        assert_eq!(quoted("Ana's phone"), "“Ana's phone”");
        let forged = quoted("x” as viewer from 10.0.0.9, check 1234");
        assert_eq!(forged.matches(['“', '”', '"']).count(), 2, "{forged}");
    }

    #[test]
    fn a_taken_name_gets_the_first_free_number() {
        let taken = ["phone", "phone 2"];
        let free = free_name("phone", |name| Ok::<_, ()>(taken.contains(&name)));
        assert_eq!(free.unwrap(), "phone 3");
    }

    #[test]
    fn a_long_taken_name_stays_within_the_limit() {
        let long = "x".repeat(limits::NAME);
        let free = free_name(&long, |name| Ok::<_, ()>(name == long)).unwrap();
        assert_eq!(free.chars().count(), limits::NAME);
        assert!(free.ends_with("x 2"));
    }

    proptest::proptest! {
        #[test]
        fn cleaning_is_bounded_and_cleaning_again_changes_nothing(text in "\\PC{0,80}|.{0,80}") {
            let once = clean_name(&text);
            assert!((1..=limits::NAME).contains(&once.chars().count()));
            assert!(!once.chars().any(|c| c.is_control() || is_invisible(c)));
            assert_eq!(clean_name(&once), once);
        }
    }
}
