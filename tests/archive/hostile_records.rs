//! Hostile archives whose records contradict each other or leave bytes unclaimed.

use widget_registry::archive::FindingCode as Code;

use super::builder::{Descriptor, Entry, Header, Zip};
use super::hostile::{Hostile, file, hostile, plus};
use super::widget::zip;

pub(super) fn headers() -> Vec<Hostile> {
    let local = |change: fn(&mut Header)| plus(file().with(|entry| change(&mut entry.local)));
    let described = |descriptor, change: fn(&mut Entry)| plus(file().described_by(descriptor).with(change));
    vec![
        hostile("another local name", local(|header| header.name = b"b.txt".to_vec()), Code::EntryHeaderMismatch),
        hostile("a longer local name", local(|header| header.name = b"a.txt.exe".to_vec()), Code::EntryHeaderMismatch),
        hostile("another local method", local(|header| header.method = 0), Code::EntryHeaderMismatch),
        hostile("another local flag", local(|header| header.flags |= 1), Code::EntryHeaderMismatch),
        hostile("utf-8 only locally", local(|header| header.flags |= 1 << 11), Code::EntryHeaderMismatch),
        hostile("another local checksum", local(|header| header.crc ^= 1), Code::EntryHeaderMismatch),
        hostile("another local packed size", local(|header| header.packed += 1), Code::EntryHeaderMismatch),
        hostile("another local size", local(|header| header.unpacked += 1), Code::EntryHeaderMismatch),
        hostile("descriptor only locally", local(|header| header.flags |= 8), Code::EntryHeaderMismatch),
        hostile(
            "unicode path with another name",
            plus(file().both(|header| {
                header.extra = [b"\x75\x70\x0a\x00\x01\0\0\0\0".as_slice(), b"b.txt"].concat();
            })),
            Code::EntryExtraField,
        ),
        hostile(
            "malformed extra fields",
            plus(file().both(|header| header.extra = vec![1, 2, 255, 255, 0])),
            Code::EntryExtraField,
        ),
        hostile(
            "malformed local extra fields",
            local(|header| header.extra = vec![1, 2, 255, 255, 0]),
            Code::EntryExtraField,
        ),
        hostile(
            "descriptor with another checksum",
            described(Descriptor::Signed, |entry| entry.described.0 ^= 1),
            Code::EntryDescriptorMismatch,
        ),
        hostile(
            "descriptor with another size",
            described(Descriptor::Unsigned, |entry| entry.described.2 += 1),
            Code::EntryDescriptorMismatch,
        ),
        hostile(
            "descriptor missing",
            described(Descriptor::Signed, |entry| entry.descriptor = None),
            Code::EntryDescriptorMismatch,
        ),
        hostile("zip64 descriptor", described(Descriptor::Zip64, |_| {}), Code::ArchiveZip64),
        hostile(
            "zip64 sizes",
            plus(file().both(|header| {
                (header.packed, header.unpacked) = (u32::MAX, u32::MAX);
                header.extra = [[1, 0, 16, 0].as_slice(), &[0; 16]].concat();
            })),
            Code::ArchiveZip64,
        ),
        hostile("zip64 field only locally", local(|header| header.extra = vec![1, 0, 0, 0]), Code::ArchiveZip64),
    ]
}

pub(super) fn overlaps() -> Vec<Hostile> {
    let first = zip().entries[0].clone();
    let ghost = |name: &str, offset: u32| {
        first.clone().with(|entry| {
            entry.central.name = name.into();
            (entry.ghost, entry.offset) = (true, Some(offset));
        })
    };
    let local_length = |entry: &Entry| 30 + entry.local.name.len() + entry.data.len();
    let end = u32::try_from(zip().entries.iter().map(local_length).sum::<usize>()).unwrap();
    let nested = || {
        // The second record lies within the stored bytes of the first.
        let inner = Zip::of([file()]).bytes();
        let outer = Entry::stored("outer.bin", &inner);
        let inner_at = end + 30 + 9;
        zip().and(outer).and(file().with(|entry| (entry.ghost, entry.offset) = (true, Some(inner_at)))).bytes()
    };
    // A local header whose name and extra fields reach past the archive's end, where the next entry claims to be.
    let endless = zip().and(ghost("a.txt", end)).and(ghost("b.txt", 9_999_999)).with(|zip| {
        zip.before_directory = [b"PK\x03\x04".as_slice(), &[0; 22], &[0xFF; 4]].concat();
    });
    vec![
        hostile("a name without an end", endless.bytes(), Code::EntryOverlap),
        hostile("one record for two entries", zip().and(ghost("copy.json", 0)).bytes(), Code::EntryOverlap),
        hostile("a record within a record", nested(), Code::EntryOverlap),
        hostile("an offset into data", zip().and(ghost("copy.json", 40)).bytes(), Code::EntryOverlap),
        hostile("an offset past the end", zip().and(ghost("copy.json", 9_999_999)).bytes(), Code::EntryHeaderMismatch),
    ]
}

pub(super) fn unclaimed_bytes() -> Vec<Hostile> {
    vec![
        hostile(
            "bytes between entries",
            plus(file().with(|entry| entry.gap = b"hidden".to_vec())),
            Code::ArchiveHiddenData,
        ),
        hostile(
            "an entry that is not in the directory",
            plus(file().with(|entry| entry.gap = Zip::of([file()]).bytes())),
            Code::ArchiveHiddenData,
        ),
        hostile(
            "bytes before the directory",
            zip().with(|zip| zip.before_directory = vec![0; 7]).bytes(),
            Code::ArchiveHiddenData,
        ),
        hostile(
            "bytes after the directory",
            zip().with(|zip| zip.before_end = vec![0; 7]).bytes(),
            Code::ArchiveHiddenData,
        ),
        hostile(
            "bytes in the directory",
            zip().with(|zip| zip.in_directory = vec![0; 7]).bytes(),
            Code::ArchiveDirectory,
        ),
        hostile(
            "prefix, offsets of the whole",
            zip().with(|zip| zip.prefix = b"#!/bin/sh\n".to_vec()).bytes(),
            Code::ArchiveLeadingData,
        ),
        hostile(
            "prefix, offsets of the zip",
            zip().with(|zip| (zip.prefix, zip.shifted) = (b"#!/bin/sh\n".to_vec(), true)).bytes(),
            Code::ArchiveLeadingData,
        ),
        hostile(
            "program before it",
            zip().with(|zip| (zip.prefix, zip.shifted) = (b"MZ\x90\0".to_vec(), true)).bytes(),
            Code::ArchiveNotAZip,
        ),
        hostile(
            "zip before it",
            zip().with(|zip| (zip.prefix, zip.shifted) = (Zip::of([file()]).bytes(), true)).bytes(),
            Code::ArchiveLeadingData,
        ),
        hostile("one byte behind it", zip().with(|zip| zip.suffix = vec![0]).bytes(), Code::ArchiveTrailingData),
        hostile("much behind it", zip().with(|zip| zip.suffix = vec![0; 200_000]).bytes(), Code::ArchiveTruncated),
        hostile("zip behind it", [zip().bytes(), zip().bytes()].concat(), Code::ArchiveLeadingData),
        hostile(
            "end record in the comment",
            zip().with(|zip| zip.comment = Zip::default().bytes()).bytes(),
            Code::ArchiveEndRecord,
        ),
        hostile(
            "comment too short",
            zip().with(|zip| (zip.comment, zip.comment_length) = (b"abc".to_vec(), Some(2))).bytes(),
            Code::ArchiveTrailingData,
        ),
        hostile("comment too long", zip().with(|zip| zip.comment_length = Some(5)).bytes(), Code::ArchiveTruncated),
    ]
}

pub(super) fn end_records() -> Vec<Hostile> {
    vec![
        hostile("one entry fewer", zip().with(|zip| zip.count = Some(4)).bytes(), Code::ArchiveDirectory),
        hostile("one entry more", zip().with(|zip| zip.count = Some(6)).bytes(), Code::ArchiveDirectory),
        hostile("two counts", zip().with(|zip| zip.count_here = Some(3)).bytes(), Code::ArchiveEndRecord),
        hostile("second disk", zip().with(|zip| zip.disk = 1).bytes(), Code::ArchiveEndRecord),
        hostile("entry of another disk", plus(file().with(|entry| entry.disk = 2)), Code::ArchiveDirectory),
        hostile(
            "directory past the end",
            zip().with(|zip| zip.directory_offset = Some(1 << 30)).bytes(),
            Code::ArchiveTruncated,
        ),
        hostile(
            "directory before its place",
            zip().with(|zip| zip.directory_offset = Some(4)).bytes(),
            Code::ArchiveLeadingData,
        ),
        hostile(
            "directory shorter",
            zip().with(|zip| zip.directory_length = Some(46)).bytes(),
            Code::ArchiveHiddenData,
        ),
        hostile("no entries", Zip::default().bytes(), Code::ArchiveEmpty),
        hostile(
            "zip64 locator",
            zip().with(|zip| zip.before_end = [b"PK\x06\x07".as_slice(), &[0; 16]].concat()).bytes(),
            Code::ArchiveZip64,
        ),
        hostile("zip64 offset", zip().with(|zip| zip.directory_offset = Some(u32::MAX)).bytes(), Code::ArchiveZip64),
        hostile("zip64 count", zip().with(|zip| zip.count = Some(u16::MAX)).bytes(), Code::ArchiveTooManyEntries),
    ]
}
