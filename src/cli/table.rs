//! Columns of text.

/// The rows with their columns aligned; nothing stands at the end of a line.
pub(super) fn aligned<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; N]| {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// A time of the wire, as far as seconds: `2026-11-22T23:18:02.580085Z` is `2026-11-22T23:18:02Z`.
pub(super) fn seconds(time: &str) -> String {
    time.split_once('.').map_or_else(|| time.to_owned(), |(seconds, _)| format!("{seconds}Z"))
}

/// `1 account`, `2 accounts`
pub(super) fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligns_without_spaces_at_the_end() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned);
        assert_eq!(aligned(&[row(["a", "жжж", ""]), row(["bb", "c", "d"])]), ["a   жжж", "bb  c    d"]);
        assert_eq!(seconds("2026-11-22T23:18:02.580085Z"), "2026-11-22T23:18:02Z");
        assert_eq!(seconds("2026-11-22T23:18:02Z"), "2026-11-22T23:18:02Z");
    }
}
