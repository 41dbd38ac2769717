//! Aligned columns, by the columns that a terminal gives to each letter.

use super::width::{columns, padded};

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
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|cell| columns(cell)).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.rows.iter().map(Vec::len).max().unwrap_or(0)).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| padded(cell, *width)).collect();
            cells.join("  ").trim_end().to_owned()
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
    fn no_line_ends_in_spaces() {
        assert_eq!(fields(&[("a", String::new()), ("long", "b".into())]), ["a", "long  b"]);
    }
}
