//! Tokens that are forged, stale, confused, oversized or malformed: the same 401, byte for byte, for every one of them.

use aws_lc_rs::signature::KeyPair as _;
use serde_json::{Value, json};

use super::signers::{hs256, message};
use super::{Kind, Signer, Token, base64};
use crate::support::{Answer, Raw, Setup, TestApp, test_with};

/// Names and values of `Authorization`.
type Rows = Vec<(String, Vec<u8>)>;

/// The keys of the service: its own, and one of each kind.
struct Keys {
    own: Signer,
    hs: Signer,
    rs: Signer,
    es: Signer,
    stranger: Signer,
}

fn bearer(rows: &mut Rows, name: impl Into<String>, token: impl AsRef<str>) {
    rows.push((name.into(), format!("Bearer {}", token.as_ref()).into_bytes()));
}

async fn ask(app: &TestApp, authorization: &[u8]) -> Answer {
    app.ask(&Raw::get("/api/v4/widgets").header("Authorization", authorization)).await
}

/// Sends every row of a table; all are refused alike.
fn all_alike(least: usize, table: impl FnOnce(&TestApp, &Keys) -> Rows) {
    let dir = tempfile::tempdir().unwrap();
    let (hs, rs, es) = (Signer::hs256("hs"), Signer::rs256("rs"), Signer::es256("es"));
    let sources = [&hs, &rs, &es].map(|signer| signer.configure(dir.path())).join("; ");
    test_with(Setup::default().set("verification_keys", sources), async |app| {
        let keys = Keys { own: Signer::of(app), hs, rs, es, stranger: Signer::ed25519("stranger") };
        // What the rows are made from is accepted.
        for signer in [&keys.own, &keys.hs, &keys.rs, &keys.es] {
            let answer = ask(app, format!("Bearer {}", signer.token(app).sign()).as_bytes()).await;
            assert_eq!(answer.status, 200, "{}: {answer:?}", signer.kid);
        }
        let none = app.ask(&Raw::get("/api/v4/widgets")).await;
        assert_eq!(none.problem(401), "Invalid user name or password");
        let rows = table(app, &keys);
        assert!(rows.len() >= least, "{} rows, {least} are expected", rows.len());
        let mut faults = Vec::new();
        for (name, authorization) in rows {
            let answer = ask(app, &authorization).await;
            let challenge = (answer.header("www-authenticate"), answer.header("content-type"));
            let alike = answer.status == 401 && answer.body == none.body;
            if !alike || challenge != ("Bearer", "application/problem+json") {
                faults.push(format!("{name}: {answer:?}"));
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    });
}

#[test]
fn algorithms() {
    all_alike(50, |app, keys| {
        let mut rows = Rows::new();
        let own = || keys.own.token(app);
        for name in ["none", "None", "NONE", "nOnE", "", "eddsa", "EDDSA", "Ed25519", "HS256 ", "\u{0}"] {
            let header = own().header("alg", json!(name));
            bearer(&mut rows, format!("alg {name}, signed"), header.sign());
            bearer(&mut rows, format!("alg {name}, an empty signature"), format!("{}.", header.message()));
            bearer(&mut rows, format!("alg {name}, no signature"), header.message());
        }
        // A public key is no secret.
        for signer in [&keys.own, &keys.rs, &keys.es] {
            let pem = pem::encode(&pem::Pem::new("PUBLIC KEY", signer.der()));
            let jwk = signer.jwk().to_string();
            let secrets = [
                signer.public(),
                signer.der(),
                pem.clone().into_bytes(),
                pem.trim_end().as_bytes().to_vec(),
                jwk.into_bytes(),
            ];
            for secret in secrets {
                for kid in [json!(signer.kid), json!(keys.hs.kid), Value::Null] {
                    let message = own().header("alg", json!("HS256")).header("kid", kid.clone()).message();
                    let token = format!("{message}.{}", base64(&hs256(&secret, message.as_bytes())));
                    bearer(
                        &mut rows,
                        format!("HS256 with the {} bytes of {} as {kid}", secret.len(), signer.kid),
                        token,
                    );
                }
            }
        }
        for secret in [b"".as_slice(), b"\0", b"secret", b"hs", b"null"] {
            let message = keys.hs.token(app).message();
            let token = format!("{message}.{}", base64(&hs256(secret, message.as_bytes())));
            bearer(&mut rows, format!("HS256 with the secret {}", secret.escape_ascii()), token);
        }
        // Other algorithms of the same family.
        for (signer, name) in [
            (&keys.hs, "HS384"),
            (&keys.hs, "HS512"),
            (&keys.rs, "RS384"),
            (&keys.rs, "RS512"),
            (&keys.rs, "PS256"),
            (&keys.rs, "PS512"),
            (&keys.es, "ES384"),
            (&keys.es, "ES256K"),
            (&keys.own, "Ed448"),
        ] {
            bearer(&mut rows, format!("{name} of {}", signer.kid), signer.token(app).header("alg", json!(name)).sign());
        }
        rows
    });
}

#[test]
fn keys_and_headers() {
    all_alike(50, |app, keys| {
        let mut rows = Rows::new();
        let own = || keys.own.token(app);
        let all = [&keys.own, &keys.hs, &keys.rs, &keys.es];
        // The id of one key and the algorithm of another, signed by either.
        for (signer, other) in
            all.iter().flat_map(|a| all.iter().map(move |b| (*a, *b))).filter(|(a, b)| a.kid != b.kid)
        {
            let kid = signer.token(app).header("kid", json!(other.kid));
            bearer(&mut rows, format!("{} under the id {}", signer.kid, other.kid), kid.sign());
            let alg = signer.token(app).header("alg", json!(other.algorithm()));
            bearer(&mut rows, format!("{} with alg {}", signer.kid, other.algorithm()), alg.sign());
        }
        for kid in [
            json!("unknown"),
            json!(""),
            json!("../../etc/passwd"),
            json!("' OR 1=1 --"),
            json!(keys.own.kid.to_uppercase() + "x"),
            json!(format!("{} ", keys.own.kid)),
            json!(format!("{}\u{0}", keys.own.kid)),
            json!(1),
            json!([keys.own.kid]),
            json!({"kid": keys.own.kid}),
            json!(true),
        ] {
            bearer(&mut rows, format!("kid {kid}"), own().header("kid", kid).sign());
        }
        // A stranger's key, under every pretence.
        let stranger = || keys.stranger.token(app);
        bearer(&mut rows, "a stranger", stranger().sign());
        bearer(&mut rows, "a stranger without an id", stranger().header("kid", Value::Null).sign());
        bearer(&mut rows, "a stranger under our id", stranger().header("kid", json!(keys.own.kid)).sign());
        bearer(
            &mut rows,
            "a stranger that brings its key",
            stranger().header("jwk", keys.stranger.jwk()).header("kid", Value::Null).sign(),
        );
        bearer(
            &mut rows,
            "a stranger that says where its key is",
            stranger().header("jku", json!("http://127.0.0.1:1/jwks.json")).sign(),
        );
        bearer(
            &mut rows,
            "a stranger with a certificate",
            stranger().header("x5c", json!(["AAAA"])).header("x5u", json!("http://127.0.0.1:1/")).sign(),
        );
        // Extensions that must be understood.
        for crit in [
            json!(["exp"]),
            json!([]),
            json!(["b64"]),
            json!(["alg", "kid"]),
            json!("exp"),
            json!(1),
            json!({}),
            json!([1]),
            json!(false),
        ] {
            bearer(&mut rows, format!("crit {crit}"), own().header("crit", crit).header("b64", json!(true)).sign());
        }
        // Headers that are none.
        for header in [
            "",
            " ",
            "{}",
            "[]",
            "null",
            "1",
            "\"EdDSA\"",
            "{",
            "{\"alg\":\"EdDSA\"",
            "{\"alg\":\"EdDSA\"}x",
            "{\"typ\":\"JWT\"}",
            "{\"alg\":1}",
            "{\"alg\":[\"EdDSA\"]}",
            "{\"alg\":null}",
        ] {
            bearer(&mut rows, format!("header {header}"), own().sign_header(header));
        }
        for twice in [r#""alg":"EdDSA""#, r#""alg":"none""#, r#""kid":"stranger""#, r#""\u0061lg":"none""#] {
            bearer(&mut rows, format!("header twice {twice}"), own().sign_header(&with_text(&own(), twice)));
        }
        bearer(&mut rows, "a header that is not UTF-8", {
            let header = [b"{\"alg\":\"EdDSA\",\"x\":\"\xff".as_slice(), b"\"}"].concat();
            own().sign_message(&format!("{}.{}", base64(&header), base64(own().claims.to_string().as_bytes())))
        });
        rows
    });
}

/// A token's header with a further member, as text.
fn with_text(token: &Token<'_>, member: &str) -> String {
    format!("{},{member}}}", token.header.to_string().strip_suffix('}').unwrap())
}

#[test]
fn signatures() {
    all_alike(40, |app, keys| {
        let mut rows = Rows::new();
        for signer in [&keys.own, &keys.hs, &keys.rs, &keys.es] {
            let kid = &signer.kid;
            let message = signer.token(app).message();
            let signature = signer.sign(message.as_bytes());
            let mut put = |name: &str, signature: &[u8]| {
                bearer(&mut rows, format!("{kid}: {name}"), format!("{message}.{}", base64(signature)));
            };
            let flipped = |at: usize| {
                let mut bytes = signature.clone();
                bytes[at] ^= 1;
                bytes
            };
            put("first bit flipped", &flipped(0));
            put("last bit flipped", &flipped(signature.len() - 1));
            put("a byte short", &signature[..signature.len() - 1]);
            put("a byte long", &[signature.as_slice(), &[0]].concat());
            put("a zero before it", &[&[0], signature.as_slice()].concat());
            put("zeros", &vec![0; signature.len()]);
            put("ones", &vec![0xff; signature.len()]);
            put("twice", &signature.repeat(2));
            put("none", b"");
            put("of other bytes", &signer.sign(b"other bytes"));
            let text = base64(&signature);
            let mut put =
                |name: &str, text: &str| bearer(&mut rows, format!("{kid}: {name}"), format!("{message}.{text}"));
            put("padded", &format!("{text}=="));
            put("with a blank in it", &format!("{} {}", &text[..9], &text[9..]));
            put("hexadecimal", &signature.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
            put("with other last bits", &other_last_bits(&text));
            let swapped = signer.token(app).claim("sub", json!("1"));
            bearer(&mut rows, format!("{kid}: claims changed"), format!("{}.{text}", swapped.message()));
            let swapped = signer.token(app).header("x", json!(1));
            bearer(&mut rows, format!("{kid}: header changed"), format!("{}.{text}", swapped.message()));
        }
        let es = keys.es.token(app).message();
        let fixed = keys.es.sign(es.as_bytes());
        bearer(&mut rows, "ES256 in DER", format!("{es}.{}", base64(&in_der(&fixed))));
        bearer(&mut rows, "ES256 of zeros", format!("{es}.{}", base64(&[0; 64])));
        let own = keys.own.token(app).message();
        let doubled = with_the_order_added(&keys.own.sign(own.as_bytes()));
        bearer(&mut rows, "Ed25519 with the order added", format!("{own}.{}", base64(&doubled)));
        if let Kind::EdDsa(pair) = &keys.own.kind {
            bearer(
                &mut rows,
                "the public key as signature",
                format!("{own}.{}", base64(&pair.public_key().as_ref().repeat(2))),
            );
        }
        rows
    });
}

/// The last character holds bits that no byte has; here they are not zero.
fn other_last_bits(text: &str) -> String {
    let (rest, last) = text.split_at(text.len() - 1);
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let at = alphabet.find(last).unwrap();
    format!("{rest}{}", &alphabet[at + 1..at + 2])
}

/// A signature of two numbers of 32 bytes, as a DER sequence of two integers.
fn in_der(fixed: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| {
        let mut bytes: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
        if bytes[0] > 0x7f {
            bytes.insert(0, 0);
        }
        [&[0x02, u8::try_from(bytes.len()).unwrap()], bytes.as_slice()].concat()
    };
    let both = [integer(&fixed[..32]), integer(&fixed[32..])].concat();
    [&[0x30, u8::try_from(both.len()).unwrap()], both.as_slice()].concat()
}

/// The same signature with its number raised by the order of the curve: equal for a careless verifier.
fn with_the_order_added(signature: &[u8]) -> Vec<u8> {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut raised = signature.to_vec();
    let mut carry = 0_u16;
    for (byte, order) in raised[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    raised
}

#[test]
fn claims() {
    all_alike(100, |app, keys| {
        let mut rows = Rows::new();
        let own = || keys.own.token(app);
        let now = app.now().unix_timestamp();
        let any = [
            json!(""),
            json!("x"),
            json!(1),
            json!(1.5),
            json!(true),
            json!([]),
            json!(["x"]),
            json!({}),
            json!({"x": 1}),
        ];
        for name in ["iss", "sub", "account_id", "role", "exp"] {
            bearer(&mut rows, format!("without {name}"), own().claim(name, Value::Null).sign());
            bearer(
                &mut rows,
                format!("{name} null"),
                own().claim(name, Value::Null).sign_claims(with_claim(&own(), name, "null").as_bytes()),
            );
        }
        let others = |numbers: bool| any.clone().into_iter().filter(move |value| value.is_number() != numbers);
        let values = [
            ("iss", false),
            ("sub", false),
            ("role", false),
            ("aud", false),
            ("exp", true),
            ("nbf", true),
            ("iat", true),
        ];
        for (name, numbers) in values {
            for value in others(numbers) {
                bearer(&mut rows, format!("{name} {value}"), own().claim(name, value).sign());
            }
        }
        for value in others(true).chain([
            json!("1"),
            json!(1.5),
            json!(1.0),
            json!(1e3),
            json!(0),
            json!(-1),
            json!(i64::MIN),
            json!(u64::MAX),
        ]) {
            bearer(&mut rows, format!("account_id {value}"), own().claim("account_id", value).sign());
        }
        for value in [
            "0",
            "00",
            "01",
            "-1",
            "+1",
            "1.0",
            "1e3",
            " 1",
            "1 ",
            "1\n",
            "\u{661}",
            "7,8",
            "0x7",
            "9223372036854775808",
            "null",
        ] {
            bearer(&mut rows, format!("sub {value:?}"), own().claim("sub", json!(value)).sign());
        }
        for value in ["Admin", "ADMIN", "root", "admin ", "admin,user", "administrator", "user\u{0}"] {
            bearer(&mut rows, format!("role {value:?}"), own().claim("role", json!(value)).sign());
        }
        for value in ["Widget-Registry", "widget-registry ", "widget-registry/", "registry", "https://widget-registry"]
        {
            bearer(&mut rows, format!("iss {value:?}"), own().claim("iss", json!(value)).sign());
        }
        let uuid = "11111111-1111-4111-8111-111111111111";
        for value in [
            json!([uuid]),
            json!([]),
            json!(format!("{uuid}1")),
            json!(&uuid[1..]),
            json!(format!("{uuid} ")),
            json!(format!("g{}", &uuid[1..])),
        ] {
            bearer(&mut rows, format!("aud {value}"), own().claim("aud", value).sign());
        }
        for value in
            [json!("publish"), json!({}), json!(1), json!([1]), json!([null]), json!([["publish"]]), json!(true)]
        {
            bearer(&mut rows, format!("scopes {value}"), own().claim("scopes", value).sign());
        }
        for value in [json!(1), json!([]), json!({}), json!(true)] {
            bearer(&mut rows, format!("jti {value}"), own().claim("jti", value).sign());
        }
        for value in [
            json!(now - 31),
            json!(now - 3_600),
            json!(0),
            json!(-1),
            json!(i64::MIN),
            json!(-1e300),
            json!((now + 60).to_string()),
        ] {
            bearer(&mut rows, format!("exp {value}"), own().claim("exp", value).sign());
        }
        for value in [json!(now + 3_600), json!(i64::MAX), json!(1e300)] {
            bearer(&mut rows, format!("nbf {value}"), own().claim("nbf", value).sign());
        }
        for value in ["1e999", "-1e999", "NaN", "Infinity", "01", "0x7fffffff"] {
            let claims = with_claim(&own().claim("exp", Value::Null), "exp", value);
            bearer(&mut rows, format!("exp {value} as text"), own().sign_claims(claims.as_bytes()));
        }
        rows
    });
}

/// A token's claims with a further one, as text.
fn with_claim(token: &Token<'_>, name: &str, value: &str) -> String {
    let mut token = token.clone().claim(name, Value::Null).claims.to_string();
    token.pop();
    format!("{token},\"{name}\":{value}}}")
}

#[test]
fn texts_of_claims() {
    all_alike(25, |app, keys| {
        let mut rows = Rows::new();
        let own = || keys.own.token(app);
        let claims = own().claims.to_string();
        let open = claims.strip_suffix('}').unwrap();
        for twice in [
            r#""iss":"widget-registry""#,
            r#""sub":"7""#,
            r#""sub":"8""#,
            r#""account_id":1"#,
            r#""account_id":2"#,
            r#""role":"admin""#,
            r#""role":"user""#,
            r#""exp":9999999999"#,
            r#""\u0073ub":"8""#,
            r#""r\u006fle":"admin""#,
            r#""iat":0,"iat":1"#,
            r#""aud":null,"aud":null"#,
        ] {
            bearer(&mut rows, format!("twice {twice}"), own().sign_claims(format!("{open},{twice}}}").as_bytes()));
        }
        for text in ["", " ", "null", "1", "\"x\"", "[]", "{}", "{", "text", "\u{feff}{}"] {
            bearer(&mut rows, format!("claims {text:?}"), own().sign_claims(text.as_bytes()));
        }
        for (name, text) in [
            ("in an array", format!("[{claims}]")),
            ("as a text", json!(claims).to_string()),
            ("cut", open.to_owned()),
            ("with a tail", format!("{claims}x")),
            ("twice", claims.repeat(2)),
            ("with a comma", format!("{open},}}")),
            ("with a lone surrogate", format!("{open},\"jti\":\"\\ud800\"}}")),
        ] {
            bearer(&mut rows, format!("claims {name}"), own().sign_claims(text.as_bytes()));
        }
        let invalid = [open.as_bytes(), b",\"jti\":\"\xff\"}"].concat();
        bearer(&mut rows, "claims that are not UTF-8", own().sign_claims(&invalid));
        rows
    });
}

#[test]
fn forms() {
    all_alike(50, |app, keys| {
        let token = keys.own.token(app).sign();
        let (head, signature) = token.rsplit_once('.').unwrap();
        let (header, claims) = head.split_once('.').unwrap();
        let mut rows = Rows::new();
        for text in [
            "",
            " ",
            ".",
            "..",
            "...",
            "a",
            "a.b",
            "a.b.c",
            "null",
            "undefined",
            "[object Object]",
            "{}",
            "\"\"",
            "%00",
            "../../etc/passwd",
        ] {
            bearer(&mut rows, format!("`{text}`"), text);
        }
        for (name, text) in [
            ("a dot behind it", format!("{token}.")),
            ("two dots behind it", format!("{token}..")),
            ("a dot before it", format!(".{token}")),
            ("four parts", format!("{token}.{signature}")),
            ("the header twice", format!("{header}.{token}")),
            ("no claims", format!("{header}..{signature}")),
            ("no header", format!(".{claims}.{signature}")),
            ("parts in another order", format!("{claims}.{header}.{signature}")),
            ("two tokens", format!("{token} {token}")),
            ("two tokens with a comma", format!("{token},{token}")),
            ("in quotes", format!("\"{token}\"")),
            ("in angle brackets", format!("<{token}>")),
            ("with a blank in it", format!("{header}. {claims}.{signature}")),
            ("with a tab in it", format!("{header}.\t{claims}.{signature}")),
            ("escaped", token.replace('.', "%2E")),
            ("with commas for dots", token.replace('.', ",")),
            ("in lower case", token.to_lowercase()),
            ("in upper case", token.to_uppercase()),
            ("padded", format!("{header}=.{claims}.{signature}")),
            ("padded claims", format!("{header}.{claims}==.{signature}")),
            ("reversed", token.chars().rev().collect()),
            ("many dots", ".".repeat(8_000)),
            ("as claims of another", message("{\"alg\":\"EdDSA\",\"cty\":\"JWT\"}", token.as_bytes())),
            ("encrypted", format!("{header}.{claims}.{claims}.{claims}.{signature}")),
        ] {
            bearer(&mut rows, name, text);
        }
        for scheme in [
            "Basic ",
            "Digest ",
            "Token ",
            "JWT ",
            "Bearer: ",
            "Bearer:",
            "Bearer",
            "Bearer\t",
            "Bearer=",
            "",
            "Bear er ",
            "Bearer Bearer ",
            "bearer,",
            "OAuth ",
        ] {
            rows.push((format!("scheme `{scheme}`"), format!("{scheme}{token}").into_bytes()));
        }
        rows.push(("a long header".to_owned(), format!("Bearer {}{token}", " ".repeat(8_192)).into_bytes()));
        let large = keys.own.token(app).claim("x", json!("x".repeat(8_192))).sign();
        bearer(&mut rows, "a large token", large);
        rows.push(("not ASCII".to_owned(), format!("Bearer {token}é").into_bytes()));
        rows.push(("not UTF-8".to_owned(), [b"Bearer \xff".as_slice(), token.as_bytes()].concat()));
        rows
    });
}

/// A token counts in its one place only.
#[test]
fn places() {
    test_with(Setup::default(), async |app| {
        let own = Signer::of(app);
        let token = own.token(app).sign();
        let list = || Raw::get("/api/v4/widgets");
        let none = app.ask(&list()).await;
        for request in [
            Raw::get(format!("/api/v4/widgets?access_token={token}")),
            Raw::get(format!("/api/v4/widgets?token={token}")),
            list().header("Cookie", format!("access_token={token}")),
            list().header("Proxy-Authorization", format!("Bearer {token}")),
            list().header("X-Authorization", format!("Bearer {token}")),
            list().header("X-Auth-Token", &token),
            list().token(&token).token(&token),
            list().token(&token).header("authorization", ""),
            list().header("Authorization", "").token(&token),
            list().token(&token).header("AUTHORIZATION", "Basic YTpi"),
        ] {
            let answer = app.ask(&request).await;
            assert_eq!((answer.status, &answer.body), (401, &none.body), "{request:?}");
        }
    });
}
