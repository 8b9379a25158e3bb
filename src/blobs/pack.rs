//! A file on its way into pieces: its own bytes, and beside them its packed forms when they pay.

use std::io::{self, Write};

use brotli::CompressorWriter;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::sync::mpsc::Sender;

use super::Encoding;
use super::packable::packable;
use super::{NewBlob, PIECE};

/// Bytes of a file that is too small for its packed forms to pay: an answer's head is as long.
const SMALL: u64 = 1 << 10;
/// Bytes that are packed of one archive at most, which takes about a second: more than widgets have, and far less than a handler's time.
pub(super) const BUDGET: u64 = 8 << 20;
/// A packed form pays when it has at most this many per cent of the bytes; judged by a file's first piece.
const PAYS: usize = 90;
/// How hard brotli tries, of 11: what packs at the speed of gzip and better.
const BROTLI_QUALITY: u32 = 5;
/// Bytes, as a power of two, that brotli looks back: more than most scripts have, at little memory.
const BROTLI_WINDOW: u32 = 18;
/// Bytes that brotli gathers before it works.
const BROTLI_BUFFER: usize = 16 << 10;

/// What is handed over from the thread that unpacks to the one that stores.
#[derive(Debug)]
pub(super) enum Piece {
    /// The next bytes of the file, or of one of its packed forms.
    Bytes { form: Option<Encoding>, position: i32, bytes: Vec<u8> },
    /// There is nothing more of a packed form, which has this many bytes.
    EndOfForm { form: Encoding, size: u64 },
    /// There is nothing more of the file.
    EndOfFile,
}

/// Pieces of a file, or of one of its packed forms.
struct Pieces<'a> {
    to: &'a Sender<Piece>,
    form: Option<Encoding>,
    position: i32,
    bytes: Vec<u8>,
    size: u64,
}

impl<'a> Pieces<'a> {
    fn new(to: &'a Sender<Piece>, form: Option<Encoding>) -> Self {
        Self { to, form, position: 0, bytes: Vec::new(), size: 0 }
    }

    /// Hands over what is there. Whoever no longer receives has an error of its own to tell.
    fn hand_over(&mut self) {
        if !self.bytes.is_empty() {
            let bytes = std::mem::take(&mut self.bytes);
            self.size += bytes.len() as u64;
            let _ = self.to.blocking_send(Piece::Bytes { form: self.form, position: self.position, bytes });
            self.position += 1;
        }
    }

    fn finish(mut self) {
        self.hand_over();
        if let Some(form) = self.form {
            let _ = self.to.blocking_send(Piece::EndOfForm { form, size: self.size });
        }
    }
}

impl Write for Pieces<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let fits = bytes.len().min(PIECE - self.bytes.len());
        self.bytes.extend_from_slice(bytes.get(..fits).unwrap_or(bytes));
        if self.bytes.len() == PIECE {
            self.hand_over();
        }
        Ok(fits)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The packed forms in the making.
struct Forms<'a> {
    brotli: CompressorWriter<Pieces<'a>>,
    gzip: GzEncoder<Pieces<'a>>,
}

impl<'a> Forms<'a> {
    fn new(to: &'a Sender<Piece>) -> Self {
        let pieces = |form| Pieces::new(to, Some(form));
        Self {
            brotli: CompressorWriter::new(pieces(Encoding::Brotli), BROTLI_BUFFER, BROTLI_QUALITY, BROTLI_WINDOW),
            gzip: GzEncoder::new(pieces(Encoding::Gzip), Compression::default()),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.brotli.write_all(bytes)?;
        self.gzip.write_all(bytes)
    }

    fn finish(self) -> io::Result<()> {
        self.brotli.into_inner().finish();
        self.gzip.finish()?.finish();
        Ok(())
    }
}

/// One file, whose bytes are written into it.
pub(super) struct Packer<'a> {
    to: &'a Sender<Piece>,
    whole: Pieces<'a>,
    /// The beginning of a file whose packed forms may pay, until that is known.
    undecided: Option<Vec<u8>>,
    forms: Option<Forms<'a>>,
}

impl<'a> Packer<'a> {
    /// Of `budget`, which is what may still be packed of this archive, it takes its part.
    pub(super) fn new(to: &'a Sender<Piece>, file: &NewBlob, budget: &mut u64) -> Self {
        let is_tried = packable(file.media_type) && (SMALL..=*budget).contains(&file.size);
        *budget -= if is_tried { file.size } else { 0 };
        let undecided = is_tried.then(Vec::new);
        Self { to, whole: Pieces::new(to, None), undecided, forms: None }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    ///
    /// None that a compressor in memory has.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.to.is_closed() {
            return Ok(());
        }
        self.whole.write_all(bytes)?;
        if let Some(beginning) = &mut self.undecided {
            beginning.extend_from_slice(bytes);
            if beginning.len() >= PIECE { self.decide() } else { Ok(()) }
        } else if let Some(forms) = &mut self.forms {
            forms.write(bytes)
        } else {
            Ok(())
        }
    }

    /// Begins with the packed forms if they pay.
    fn decide(&mut self) -> io::Result<()> {
        let Some(beginning) = self.undecided.take() else { return Ok(()) };
        if pays(&beginning)? {
            self.forms.insert(Forms::new(self.to)).write(&beginning)?;
        }
        Ok(())
    }

    /// Hands over the rest.
    ///
    /// # Errors
    ///
    /// As [`Packer::write`].
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.decide()?;
        self.whole.finish();
        if let Some(forms) = self.forms {
            forms.finish()?;
        }
        let _ = self.to.blocking_send(Piece::EndOfFile);
        Ok(())
    }
}

/// Whether packing makes enough of a difference. Quicker ways of packing do not find it out: they build no codes of their own.
fn pays(bytes: &[u8]) -> io::Result<bool> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(bytes)?;
    Ok(gzip.finish()?.len() <= bytes.len() / 100 * PAYS)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;
    use tokio::sync::mpsc;

    use super::*;
    use crate::digest::Sha256;

    /// What comes out for each form, and what the ends say.
    type Packed = (Vec<u8>, Vec<(Encoding, Vec<u8>)>);

    fn packed(bytes: &[u8], media_type: &'static str) -> Packed {
        let (to, mut from) = mpsc::channel(1_000);
        let file = NewBlob { path: String::new(), sha256: Sha256::of(&[]), size: bytes.len() as u64, media_type };
        let mut packer = Packer::new(&to, &file, &mut { BUDGET });
        bytes.chunks(32 << 10).for_each(|piece| packer.write(piece).unwrap());
        packer.finish().unwrap();
        drop(to);
        let (mut whole, mut forms, mut positions) = (Vec::new(), Vec::<(Encoding, Vec<u8>)>::new(), [0; 3]);
        let (mut ends, mut is_over) = (0, false);
        while let Ok(piece) = from.try_recv() {
            match piece {
                Piece::Bytes { form, position, bytes } => {
                    let index = form.map_or(2, |form| Encoding::STORED.iter().position(|one| *one == form).unwrap());
                    assert_eq!(position, positions[index]);
                    positions[index] += 1;
                    assert!((1..=PIECE).contains(&bytes.len()));
                    match form.map(|form| (form, forms.iter_mut().find(|(known, _)| *known == form))) {
                        None => whole.extend(bytes),
                        Some((form, None)) => forms.push((form, bytes)),
                        Some((_, Some((_, known)))) => known.extend(bytes),
                    }
                }
                Piece::EndOfForm { form, size } => {
                    let (_, known) = forms.iter().find(|(known, _)| *known == form).unwrap();
                    assert_eq!(known.len() as u64, size);
                    ends += 1;
                }
                Piece::EndOfFile => is_over = true,
            }
        }
        assert!(is_over && ends == forms.len());
        (whole, forms)
    }

    fn unpacked(form: Encoding, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match form {
            Encoding::Gzip => GzDecoder::new(bytes).read_to_end(&mut out).unwrap(),
            Encoding::Brotli => brotli::Decompressor::new(bytes, 4_096).read_to_end(&mut out).unwrap(),
            Encoding::Zstd => panic!("no file is stored as zstd"),
        };
        out
    }

    fn numbers(length: usize) -> Vec<u8> {
        let numbers = (0_u32..).flat_map(|n| n.wrapping_mul(2_654_435_761).to_string().into_bytes());
        numbers.take(length).collect()
    }

    #[test]
    fn packed_forms_are_the_same_bytes() {
        for length in [1_024, 5_000, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 5] {
            let bytes = numbers(length);
            let (whole, forms) = packed(&bytes, "text/plain");
            assert!(whole == bytes, "{length}");
            assert_eq!(forms.len(), 2, "{length}");
            for (form, packed) in forms {
                assert!(packed.len() < bytes.len() * 9 / 10, "{length} {form} {}", packed.len());
                assert!(unpacked(form, &packed) == bytes, "{length} {form}");
            }
        }
    }

    #[test]
    fn no_more_of_an_archive_than_its_budget() {
        let (to, _from) = mpsc::channel(1);
        let file = |size, media_type| NewBlob { path: String::new(), sha256: Sha256::of(&[]), size, media_type };
        let mut budget = 10_000;
        let mut tried = |size, media_type| Packer::new(&to, &file(size, media_type), &mut budget).undecided.is_some();
        assert!(!tried(9_000, "image/png") && tried(7_000, "text/css") && !tried(3_001, "text/css"));
        assert!(tried(3_000, "text/css") && !tried(1_024, "text/css"));
    }

    #[test]
    fn only_where_it_pays() {
        assert_eq!(packed(&numbers(1_023), "text/plain").1.len(), 0, "too small");
        assert_eq!(packed(&numbers(5_000), "image/png").1.len(), 0, "packed already");
        let noise: Vec<u8> = (0_u64..40_000).flat_map(|n| Sha256::of(&[&n.to_le_bytes()]).0).collect();
        let (whole, forms) = packed(&noise, "text/plain");
        assert!(whole == noise && forms.is_empty(), "cannot be packed");
        let (empty, forms) = packed(b"", "text/plain");
        assert!(empty.is_empty() && forms.is_empty());
    }
}
