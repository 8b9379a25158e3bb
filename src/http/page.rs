//! Pages of lists: one row more than a page holds tells whether the list goes on.

/// Rows on a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSize(u64);

impl PageSize {
    /// A page of so many rows.
    #[must_use]
    pub const fn new(rows: u64) -> Self {
        Self(rows)
    }

    /// Rows to ask the database for.
    #[must_use]
    pub fn wanted(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX).saturating_add(1)
    }

    /// The page's rows of those that were [`wanted`](Self::wanted), and whether there are more.
    #[must_use]
    pub fn cut<T>(self, mut found: Vec<T>) -> (Vec<T>, bool) {
        let rows = usize::try_from(self.0).unwrap_or(usize::MAX);
        let more = found.len() > rows;
        found.truncate(rows);
        (found, more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_more_tells_that_there_are_more() {
        let page = PageSize::new(2);
        assert_eq!(page.wanted(), 3);
        assert_eq!(page.cut(vec![1, 2, 3]), (vec![1, 2], true));
        assert_eq!(page.cut(vec![1, 2]), (vec![1, 2], false));
        assert_eq!(page.cut(Vec::<u8>::new()), (vec![], false));
        assert_eq!(PageSize::new(u64::MAX).wanted(), i64::MAX);
    }
}
