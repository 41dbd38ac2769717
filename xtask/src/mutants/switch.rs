//! All mutants of a file in one text: each function keeps its own body and gets one more for each of
//! its mutants, and an environment variable chooses. So the tests are built once instead of once for
//! each mutant. Used by [`super`].

use std::collections::BTreeMap;
use std::ops::Range;

use super::list::{Mutant, Place, Span};

/// The module that is added to the crate: which body to take, and which functions were reached.
pub const MODULE: &str = r#"//! Chooses the mutant that runs.
use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::{Mutex, OnceLock};

/// The mutant that runs, 0 for none; notes that this function was reached.
pub fn at(function: usize) -> usize {
    static ACTIVE: OnceLock<usize> = OnceLock::new();
    static TRACE: OnceLock<Option<std::ffi::OsString>> = OnceLock::new();
    static SEEN: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());
    if let Some(path) = TRACE.get_or_init(|| std::env::var_os("PAIRPIN_MUTANTS_TRACE"))
        && let Ok(mut seen) = SEEN.lock()
        && seen.insert(function)
        && let Ok(mut file) = std::fs::OpenOptions::new().append(true).create(true).open(path)
    {
        let _ = writeln!(file, "{function}");
    }
    *ACTIVE.get_or_init(|| std::env::var("PAIRPIN_MUTANT").ok().and_then(|text| text.parse().ok()).unwrap_or(0))
}
"#;

/// A file with all its mutants in it.
#[derive(Debug)]
pub struct Switched {
    /// The text.
    pub text: String,
    /// On which lines (from 1) which mutant stands.
    pub arms: Vec<(Range<usize>, usize)>,
    /// On which lines which function stands, by its number.
    pub functions: Vec<(Range<usize>, usize)>,
    /// In which function each mutant is; what is missing could not be switched.
    pub of_mutant: BTreeMap<usize, usize>,
}

/// A mutant with its number.
type Numbered<'a> = (usize, &'a Mutant);

/// Puts `mutants` (with their numbers, from 1) into `text`. Functions are numbered from `first` on.
pub fn switch(text: &str, mutants: &[Numbered<'_>], first: usize) -> Switched {
    let offsets = Offsets::of(text);
    let mut functions: Vec<(Range<usize>, Vec<Numbered<'_>>)> = Vec::new();
    let mut of_mutant = BTreeMap::new();
    for (number, mutant) in mutants {
        let Some(body) = mutant.function.and_then(|span| body(text, offsets.range(span)?)) else { continue };
        let inside = offsets.range(mutant.span).is_some_and(|at| body.start <= at.start && at.end <= body.end);
        if !inside {
            continue;
        }
        // A function within a function is switched with the outer one.
        match functions.iter_mut().find(|(other, _)| other.start <= body.end && body.start <= other.end) {
            Some((other, list)) => {
                *other = other.start.min(body.start)..other.end.max(body.end);
                list.push((*number, mutant));
            }
            None => functions.push((body, vec![(*number, mutant)])),
        }
    }
    functions.sort_by_key(|(body, _)| body.start);
    let mut switched =
        Switched { text: String::new(), arms: Vec::new(), functions: Vec::new(), of_mutant: BTreeMap::new() };
    let mut out = Writer { text: String::new(), line: 1 };
    let mut done = 0;
    for (index, (body, list)) in functions.iter().enumerate() {
        out.add(&text[done..body.start]);
        done = body.end;
        let began = out.line;
        out.add(&format!("\nmatch crate::mutants_switch::at({}) {{\n", first + index));
        for (number, mutant) in list {
            let Some(at) = offsets.range(mutant.span) else { continue };
            let from = out.line;
            out.add(&format!("{number} => {{\n"));
            out.add(&text[body.start..at.start]);
            out.add(&format!(" {} ", mutant.replacement));
            out.add(&text[at.end..body.end]);
            out.add("\n}\n");
            switched.arms.push((from..out.line, *number));
            of_mutant.insert(*number, first + index);
        }
        out.add("_ => {\n");
        out.add(&text[body.clone()]);
        out.add("\n}\n}\n");
        switched.functions.push((began..out.line, first + index));
    }
    out.add(&text[done..]);
    switched.text = out.text;
    switched.of_mutant = of_mutant;
    switched
}

struct Writer {
    text: String,
    line: usize,
}

impl Writer {
    fn add(&mut self, text: &str) {
        self.text.push_str(text);
        self.line += text.matches('\n').count();
    }
}

/// Where the lines begin.
struct Offsets<'a> {
    text: &'a str,
    lines: Vec<usize>,
}

impl<'a> Offsets<'a> {
    fn of(text: &'a str) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, lines }
    }

    fn at(&self, place: Place) -> Option<usize> {
        let line = *self.lines.get(place.line.checked_sub(1)?)?;
        let rest = &self.text[line..];
        let column = place.column.checked_sub(1)?;
        Some(line + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at))
    }

    fn range(&self, span: Span) -> Option<Range<usize>> {
        Some(self.at(span.start)?..self.at(span.end)?)
    }
}

/// What stands between the braces of the function at `range`; `None` for a `const fn`, which cannot
/// ask the environment, and for one without a body.
fn body(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let item = text.get(range.clone())?;
    let mut depth = 0_i32;
    let mut letters = item.char_indices().peekable();
    let mut word_start = None;
    let mut seen_fn = false;
    let mut previous = "";
    while let Some((at, letter)) = letters.next() {
        if letter.is_alphanumeric() || letter == '_' {
            word_start.get_or_insert(at);
            continue;
        }
        if let Some(start) = word_start.take() {
            let word = &item[start..at];
            if word == "fn" && depth == 0 && !seen_fn {
                if previous == "const" {
                    return None;
                }
                seen_fn = true;
            }
            previous = word;
        }
        match letter {
            '/' if item[at..].starts_with("//") => {
                letters.by_ref().find(|(_, letter)| *letter == '\n');
            }
            '"' => skip_string(&mut letters),
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '{' if depth == 0 && seen_fn => {
                let end = item.strip_suffix('}')?.len();
                return (at < end).then(|| range.start + at + 1..range.start + end);
            }
            _ => {}
        }
    }
    None
}

fn skip_string(letters: &mut impl Iterator<Item = (usize, char)>) {
    while let Some((_, letter)) = letters.next() {
        match letter {
            '\\' => {
                letters.next();
            }
            '"' => return,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(line: usize, column: usize) -> Place {
        Place { line, column }
    }

    fn mutant(function: (Place, Place), span: (Place, Place), replacement: &str) -> Mutant {
        Mutant {
            name: "a.rs:1:1: replace".to_owned(),
            file: "a.rs".to_owned(),
            function: Some(Span { start: function.0, end: function.1 }),
            span: Span { start: span.0, end: span.1 },
            replacement: replacement.to_owned(),
        }
    }

    const CODE: &str = "// ä\nfn is(a: [u8; 2]) -> bool {\n    a == *b\"{}\"\n}\nfn other() {}\n";

    #[test]
    fn each_mutant_gets_a_body_of_its_own_and_the_old_one_stays() {
        let function = (place(2, 1), place(4, 2));
        let (equal, whole) = ((place(3, 7), place(3, 9)), (place(3, 5), place(3, 16)));
        let (first, second) = (mutant(function, equal, "!="), mutant(function, whole, "true"));
        let switched = switch(CODE, &[(7, &first), (8, &second)], 3);
        assert!(
            switched.text.contains("at(3) {\n7 => {\n\n    a  !=  *b\"{}\"\n\n}\n8 => {\n\n     true \n\n}\n_ => {")
        );
        assert!(switched.text.ends_with("fn other() {}\n"));
        assert_eq!(switched.of_mutant, BTreeMap::from([(7, 3), (8, 3)]));
        let lines: Vec<&str> = switched.text.lines().collect();
        for (range, number) in &switched.arms {
            assert_eq!(lines[range.start - 1], format!("{number} => {{"));
        }
    }

    #[test]
    fn a_constant_function_is_left_as_it_is() {
        let code = "pub const fn one() -> u8 {\n    1\n}\n";
        let whole = mutant((place(1, 1), place(3, 2)), (place(2, 5), place(2, 6)), "0");
        let switched = switch(code, &[(1, &whole)], 1);
        assert_eq!(switched.text, code);
        assert!(switched.of_mutant.is_empty());
    }
}
