//! Aligned columns, by the columns that a terminal gives to each letter.

use super::width::{clip, columns, padded};

/// What stands between columns.
const GAP: &str = "  ";
/// The narrowest that names are made for a narrow terminal.
const NAMES: usize = 16;

/// A table with a heading, printed with two spaces between columns.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table of these columns.
    pub fn new(heading: &[&str]) -> Self {
        Self { rows: vec![heading.iter().map(|&cell| cell.to_owned()).collect()] }
    }

    /// Adds a row. Cells from outside must be printable already.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The lines, without spaces at their ends.
    pub fn lines(&self) -> Vec<String> {
        self.laid_out(&self.widths())
    }

    /// The lines for a terminal of this width: lines that wrap are no table. The names in the first
    /// column give way first, so that a long one does not hide the rest; then the end of the line.
    pub fn lines_within(&self, width: usize) -> Vec<String> {
        let mut widths = self.widths();
        let all = widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1);
        if let Some(first) = widths.first_mut() {
            *first = (*first).min(first.saturating_sub(all.saturating_sub(width)).max(NAMES));
        }
        self.laid_out(&widths).iter().map(|line| clip(line, width)).collect()
    }

    fn widths(&self) -> Vec<usize> {
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|cell| columns(cell)).max().unwrap_or(0)
        };
        (0..self.rows.iter().map(Vec::len).max().unwrap_or(0)).map(width).collect()
    }

    fn laid_out(&self, widths: &[usize]) -> Vec<String> {
        let line = |row: &Vec<String>| {
            let cells: Vec<String> =
                row.iter().zip(widths).map(|(cell, width)| padded(&clip(cell, *width), *width)).collect();
            cells.join(GAP).trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }
}

/// Name and value pairs, values aligned, for `show` and `status`.
pub fn fields(pairs: &[(&str, String)]) -> Vec<String> {
    let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    pairs.iter().map(|(name, value)| format!("{name:<width$}  {value}").trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_by_what_a_terminal_shows() {
        let mut table = Table::new(&["NAME", "ROLE"]);
        table.row(vec!["Zoë’s téléphone".into(), "owner".into()]);
        table.row(vec!["手机 😀".into(), "viewer".into()]);
        let lines = table.lines();
        let column = |line: &String, word: &str| line.split_once(word).map(|(before, _)| columns(before));
        assert_eq!(column(&lines[0], "ROLE"), column(&lines[1], "owner"));
        assert_eq!(column(&lines[1], "owner"), column(&lines[2], "viewer"));
    }

    #[test]
    fn a_long_name_does_not_hide_the_other_columns() {
        let mut table = Table::new(&["NAME", "ROLE", "SEEN", "FROM", "ID", "PLATFORM"]);
        for name in ["机".repeat(40), "Ana's Pixel 9".into()] {
            let cells = [&name, "operator", "just now", "192.168.100.34", "mfrggzdf", "Debian GNU/Linux 12, x86_64"];
            table.row(cells.map(str::to_owned).into());
        }
        let lines = table.lines_within(80);
        assert!(lines.iter().all(|line| columns(line) <= 80), "{lines:#?}");
        assert!(lines[1..].iter().all(|line| line.contains("mfrggzdf")) && lines[2].contains("Ana's Pixel 9"));
        assert!(table.lines()[1].ends_with("x86_64"), "a pipe gets all of it");
    }

    #[test]
    fn no_line_ends_in_spaces() {
        assert_eq!(fields(&[("a", String::new()), ("long", "b".into())]), ["a", "long  b"]);
    }
}
