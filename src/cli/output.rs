//! Results on stdout: text, JSON and aligned columns.

use std::io::{ErrorKind, Write};

use super::Failure;

/// Writes a result; a reader that left early (`| head`) is no failure.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::Output(error)),
        _ => Ok(()),
    }
}

/// Writes a JSON document for machines.
pub(super) fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    print(&format!("{value:#}\n"))
}

/// Rows with their columns aligned; a column of numbers, below its head, to the right.
pub(super) fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cell = |row: &Vec<String>, i: usize| row.get(i).cloned().unwrap_or_default();
    let is_number = |text: &str| text.chars().all(|c| c.is_ascii_digit() || c == ',');
    let layout = |i| {
        let width = rows.iter().map(|row| cell(row, i).chars().count()).max().unwrap_or(0);
        (width, rows.iter().enumerate().all(|(n, row)| n == 0 || is_number(&cell(row, i))))
    };
    let layouts: Vec<(usize, bool)> = (0..count).map(layout).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (i, (width, right)) in layouts.iter().enumerate() {
            let value = cell(row, i);
            let gap = " ".repeat(width - value.chars().count());
            let right = *right && (rows.len() > 1 || is_number(&value));
            let (before, after) = if right { (gap, String::new()) } else { (String::new(), gap) };
            line.push_str(&format!("{}{before}{value}{after}", if i > 0 { "  " } else { "" }));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// `12,345`
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && i % 3 == first {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 object`, `2 objects`
pub(super) fn plural(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// `3.2 MiB`
pub(super) fn bytes(number: u64) -> String {
    indicatif::HumanBytes(number).to_string()
}
