//! Extra fields: a list of (id, length, bytes) behind a header.

use super::fields::Fields;

/// Sizes of more than 32 bits.
const ZIP64: u16 = 0x0001;
/// The name in UTF-8, beside one in another encoding.
const UNICODE_PATH: u16 = 0x7075;
/// AES encryption.
const AES: u16 = 0x9901;
/// Alignment tools pad with fewer zeros than one field's head has bytes.
const MOST_PADDING: usize = 3;

/// What is wrong with the extra fields of one header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExtraProblem {
    /// They do not end where they have to.
    Malformed,
    /// They give sizes or an offset of 64 bits.
    Zip64,
    /// They give another name than the header.
    OtherName,
    /// They describe an encryption.
    Encrypted,
}

/// Checks the extra fields of a header that has this name; unknown fields (times, user ids) are of no interest.
pub(super) fn check(mut extra: &[u8], name: &[u8]) -> Result<(), ExtraProblem> {
    while !extra.is_empty() {
        if extra.len() <= MOST_PADDING && extra.iter().all(|&byte| byte == 0) {
            return Ok(());
        }
        let Some((head, rest)) = extra.split_first_chunk::<4>() else {
            return Err(ExtraProblem::Malformed);
        };
        let mut head = Fields(head);
        let (id, length) = (head.u16(), usize::from(head.u16()));
        let Some((bytes, rest)) = rest.split_at_checked(length) else {
            return Err(ExtraProblem::Malformed);
        };
        match id {
            ZIP64 => return Err(ExtraProblem::Zip64),
            AES => return Err(ExtraProblem::Encrypted),
            // One byte of version and four of checksum stand before the name.
            UNICODE_PATH if bytes.get(5..) != Some(name) => return Err(ExtraProblem::OtherName),
            _ => extra = rest,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_times_padding_and_the_same_name() {
        assert_eq!(check(&[], b"a"), Ok(()));
        assert_eq!(check(&[0x55, 0x54, 1, 0, 9, 0, 0], b"a"), Ok(()));
        assert_eq!(check(&[0x75, 0x70, 6, 0, 1, 0, 0, 0, 0, b'a'], b"a"), Ok(()));
    }

    #[test]
    fn refuses_what_changes_the_meaning() {
        assert_eq!(check(&[0x75, 0x70, 6, 0, 1, 0, 0, 0, 0, b'b'], b"a"), Err(ExtraProblem::OtherName));
        assert_eq!(check(&[0x75, 0x70, 1, 0, 1], b"a"), Err(ExtraProblem::OtherName));
        assert_eq!(check(&[1, 0, 0, 0], b"a"), Err(ExtraProblem::Zip64));
        assert_eq!(check(&[1, 0x99, 0, 0], b"a"), Err(ExtraProblem::Encrypted));
        assert_eq!(check(&[9, 9, 5, 0, 1], b"a"), Err(ExtraProblem::Malformed));
        assert_eq!(check(&[9, 9, 5], b"a"), Err(ExtraProblem::Malformed));
    }
}
