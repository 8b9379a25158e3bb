//! Uploads: bodies that are no archives, forms that are no forms, and values around the archive.

use super::table::check;
use super::{Row, World, refused};
use crate::support::{Raw, Sample};

const PATH: &str = "/registry/v1/widgets";
const BOUNDARY: &str = "limit-of-parts";

fn zip() -> Vec<u8> {
    Sample::plain("brand_new").zip()
}

fn publish(world: &World<'_>, query: &str, body: impl Into<Vec<u8>>) -> Raw {
    world.admin("POST", format!("{PATH}{query}")).header("Content-Type", "application/zip").body(body)
}

/// One part of a form: its headers and its content.
type Part<'a> = (&'a str, &'a [u8]);

fn parts(parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for (headers, content) in parts {
        body.extend(format!("--{BOUNDARY}\r\n{headers}\r\n\r\n").into_bytes());
        body.extend(*content);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").into_bytes());
    body
}

fn form(world: &World<'_>, body: impl Into<Vec<u8>>) -> Raw {
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    world.admin("POST", PATH).header("Content-Type", content_type).body(body)
}

const ARCHIVE: &str =
    "Content-Disposition: form-data; name=\"archive\"; filename=\"a.zip\"\r\nContent-Type: application/zip";
const CODE: &str = "Content-Disposition: form-data; name=\"code\"";

#[test]
fn bodies() {
    check(25, |world| {
        let (whole, says) = (zip(), "The archive was refused: ");
        let refuse = |name: &str, body: &[u8]| refused(name, publish(world, "?code=brand_new", body), 400, says);
        let mut rows = vec![
            refuse("nothing", b""),
            refuse("one byte", b"P"),
            refuse("garbage", &(0..=255).cycle().take(5_000).collect::<Vec<u8>>()),
            refuse("zeros", &[0; 4_096]),
            refuse("text", b"manifest.json"),
            refuse("JSON", b"{}"),
            refuse("7z", b"7z\xbc\xaf\x27\x1c\0\x04"),
            refuse("gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0"),
            refuse("rar", b"Rar!\x1a\x07\x01\0"),
            refuse("tar", &[b"manifest.json".as_slice(), &[0; 1_011]].concat()),
            refuse("an end record alone", b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
            refuse("a local header alone", b"PK\x03\x04"),
            refuse("without its first byte", &whole[1..]),
            refuse("with a byte before it", &[b"x", whole.as_slice()].concat()),
            refuse("with a byte behind it", &[whole.as_slice(), b"x"].concat()),
            refuse("twice", &whole.repeat(2)),
        ];
        for cut in [1, 2, 3, 4, 5] {
            rows.push(refuse(&format!("cut to {cut} sixths"), &whole[..whole.len() * cut / 6]));
        }
        rows.push(refuse("without its last byte", &whole[..whole.len() - 1]));
        let mut flipped = whole.clone();
        flipped[60] ^= 0xff;
        rows.push(refuse("with a flipped byte", &flipped));
        let no_manifest = widget_registry::archive::pack(&[("script.js".to_owned(), Vec::new())]).unwrap();
        rows.push(refuse("without a manifest", &no_manifest));
        rows.push(refuse("version none", &Sample::plain("brand_new").version("one").zip()));
        rows
    });
}

#[test]
fn types() {
    check(15, |world| {
        let mut rows = Vec::new();
        let says = "The body must be sent as application/zip, or as multipart/form-data";
        for one in [
            "",
            "application/json",
            "text/plain",
            "application/gzip",
            "application/x-7z-compressed",
            "multipart/mixed",
            "multipart/mixed; boundary=x",
            "application/x-www-form-urlencoded",
            "zip",
            "application/zip, application/zip",
            "é",
        ] {
            let request = world.admin("POST", "/registry/v1/widgets?code=brand_new");
            rows.push(refused(format!("type {one}"), request.header("Content-Type", one).body(zip()), 415, says));
        }
        rows.push(refused(
            "no type",
            world.admin("POST", "/registry/v1/widgets?code=brand_new").body(zip()),
            415,
            says,
        ));
        for one in ["gzip", "deflate", "x", "", "identity, gzip"] {
            let request = publish(world, "?code=brand_new", zip()).header("Content-Encoding", one);
            rows.push(refused(format!("encoding {one}"), request, 415, "without Content-Encoding"));
        }
        let twice = publish(world, "?code=brand_new", zip());
        let twice = twice.header("Content-Encoding", "identity").header("Content-Encoding", "gzip");
        rows.push(refused("encoding twice", twice, 415, "without Content-Encoding"));
        rows
    });
}

/// A parameter's bad value and what is said of it.
#[rustfmt::skip]
const VALUES: [(&str, &str, &str); 29] = [
    ("code", "", "a widget code must not be empty"),
    ("code", "Upper", "a widget code begins with a lower-case Latin letter"),
    ("code", "-a", "a widget code begins with a lower-case Latin letter"),
    ("code", ".", "a widget code begins with a lower-case Latin letter"),
    ("code", "..", "a widget code begins with a lower-case Latin letter"),
    ("code", "a/b", "a widget code consists of"),
    ("code", "a%2Fb", "a widget code consists of"),
    ("code", "a%00", "a widget code consists of"),
    ("code", "a%20b", "a widget code consists of"),
    ("code", "a%0d%0ab", "a widget code consists of"),
    ("code", "%ff", "a widget code begins with a lower-case Latin letter"),
    ("code", "%C3%A9", "a widget code begins with a lower-case Latin letter"),
    ("code", "a*", "a widget code consists of"),
    ("visibility", "", "`` is neither public nor private"),
    ("visibility", "Public", "`Public` is neither public nor private"),
    ("visibility", "all", "`all` is neither public nor private"),
    ("visibility", "%00", "is neither public nor private"),
    ("visibility", "public,private", "is neither public nor private"),
    ("client_uuid", "", "The field `client_uuid` is wrong"),
    ("client_uuid", "x", "The field `client_uuid` is wrong"),
    ("client_uuid", "1", "The field `client_uuid` is wrong"),
    ("client_uuid", "11111111-1111-4111-8111-11111111111", "The field `client_uuid` is wrong"),
    ("client_uuid", "11111111-1111-4111-8111-1111111111111", "The field `client_uuid` is wrong"),
    ("client_uuid", "g1111111-1111-4111-8111-111111111111", "The field `client_uuid` is wrong"),
    ("is_crm_template", "", "it is neither true nor false"),
    ("is_crm_template", "yes", "it is neither true nor false"),
    ("is_crm_template", "True", "it is neither true nor false"),
    ("is_crm_template", "2", "it is neither true nor false"),
    ("secret", "x", "The field `secret` is not known here"),
];

#[test]
fn values() {
    check(60, |world| {
        let mut rows = Vec::new();
        for (name, value, says) in VALUES {
            let request = publish(world, &format!("?{name}={value}"), zip());
            rows.push(refused(format!("{name}={value}"), request, 400, says));
            if !value.contains('%') {
                let header = format!("Content-Disposition: form-data; name=\"{name}\"");
                let body = parts(&[(&header, value.as_bytes()), (ARCHIVE, &zip())]);
                rows.push(refused(format!("form {name}={value}"), form(world, body), 400, says));
            }
        }
        let long = format!("?code={}", "a".repeat(65));
        rows.push(refused("long code", publish(world, &long, zip()), 400, "a widget code has at most 64 characters"));
        for name in ["code", "visibility", "client_uuid", "is_crm_template"] {
            let says = format!("The field `{name}` is given more than once");
            let request = publish(world, &format!("?{name}=a&{name}=a"), zip());
            rows.push(refused(format!("{name} twice"), request, 400, says));
        }
        let spelled = publish(world, "?code=brand_new&c%6fde=brand_new", zip());
        rows.push(refused("code spelled twice", spelled, 400, "The field `code` is given more than once"));
        rows.push(refused("no code anywhere", publish(world, "", zip()), 400, "names a valid code; give `code`"));
        rows.push(refused(
            "hiding",
            publish(world, "?code=plain&visibility=private", Sample::plain("plain").version("2").zip()),
            409,
            "cannot make it private",
        ));
        rows.push(refused(
            "other bytes",
            publish(world, "?code=plain", zip()),
            409,
            "version 1.0.0 exists with other content",
        ));
        let user = world.user("POST", PATH).header("Content-Type", "application/zip").body(zip());
        rows.push(refused("without the scope", user, 403, "the token lacks the scope `publish`"));
        rows
    });
}

#[test]
fn forms() {
    check(25, |world| {
        let whole = zip();
        let refuse = |name: &str, body: Vec<u8>, says: &str| refused(name, form(world, body), 400, says);
        let broken = "The body could not be read";
        let nameless = "The field `` is not known here";
        let mut rows = types_of_forms(world);
        let many: Vec<Part<'_>> = [(CODE, b"brand_new".as_slice()); 100].to_vec();
        let both = parts(&[(CODE, b"brand_new"), (ARCHIVE, &whole)]);
        let twice = parts(&[(CODE, b"brand_new"), (ARCHIVE, &whole), (ARCHIVE, &whole)]);
        let unclosed = both[..both.len() - BOUNDARY.len() - 6].to_vec();
        rows.extend([
            refuse("no archive", parts(&[(CODE, b"brand_new")]), "The form has no field `archive`"),
            refuse("no parts", parts(&[]), "The form has no field `archive`"),
            refuse("nothing", Vec::new(), broken),
            refuse("archive twice", twice, "The field `archive` is given more than once"),
            refuse("a hundred parts", parts(&many), "The form has more than 16 parts"),
            refuse(
                "a giant text",
                parts(&[(CODE, &vec![b'a'; 1 << 20])]),
                "The field `code` is longer than 1024 bytes",
            ),
            refuse("a text that is not UTF-8", parts(&[(CODE, b"\xff")]), "The field `code` is not valid UTF-8"),
            refuse(
                "code twice",
                parts(&[(CODE, b"a"), (CODE, b"a"), (ARCHIVE, &whole)]),
                "The field `code` is given more than once",
            ),
            refuse(
                "a part without a name",
                parts(&[("Content-Disposition: form-data", b"a"), (ARCHIVE, &whole)]),
                broken,
            ),
            refuse(
                "an empty name",
                parts(&[("Content-Disposition: form-data; name=\"\"", b"a"), (ARCHIVE, &whole)]),
                nameless,
            ),
            refuse(
                "a part without headers",
                format!("--{BOUNDARY}\r\n\r\na\r\n--{BOUNDARY}--\r\n").into_bytes(),
                broken,
            ),
            refuse("no disposition", parts(&[("Content-Type: text/plain", b"a")]), broken),
            refuse(
                "another disposition",
                parts(&[("Content-Disposition: attachment; name=\"archive\"", &whole)]),
                broken,
            ),
            refuse("a header without a colon", parts(&[("Content-Disposition", b"a")]), broken),
            refuse("another boundary", b"--other\r\n\r\n--other--\r\n".to_vec(), broken),
            refuse("JSON", b"{}".to_vec(), broken),
            refuse("only a boundary", format!("--{BOUNDARY}").into_bytes(), broken),
            refuse("never closed", unclosed, broken),
            refuse(
                "a header without an end",
                format!("--{BOUNDARY}\r\nA: {}", "a".repeat(200_000)).into_bytes(),
                broken,
            ),
            refuse("an empty archive", parts(&[(CODE, b"brand_new"), (ARCHIVE, b"")]), "The archive was refused"),
            refuse(
                "a garbage archive",
                parts(&[(CODE, b"brand_new"), (ARCHIVE, b"garbage")]),
                "The archive was refused",
            ),
            refuse(
                "a cut archive",
                parts(&[(CODE, b"brand_new"), (ARCHIVE, &whole[..whole.len() / 2])]),
                "The archive was refused",
            ),
        ]);
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        let query = world.admin("POST", "/registry/v1/widgets?code=brand_new").header("Content-Type", content_type);
        rows.push(refused("code in query and form", query.body(both), 400, "The field `code` is given more than once"));
        rows
    });
}

fn types_of_forms(world: &World<'_>) -> Vec<Row> {
    let types = [
        "multipart/form-data",
        "multipart/form-data;",
        "multipart/form-data; boundary",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"",
        "multipart/form-data; boundary=\"never closed",
        "multipart/form-data; charset=utf-8",
        "multipart/form-data; boundary=another",
    ];
    let body = parts(&[(CODE, b"brand_new"), (ARCHIVE, &zip())]);
    let row = |one: &str| {
        let request = world.admin("POST", PATH).header("Content-Type", one).body(body.clone());
        refused(format!("type {one}"), request, 400, "The body could not be read")
    };
    types.into_iter().map(row).collect()
}
