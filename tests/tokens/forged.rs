//! Forged signatures, confused algorithms, keys of strangers.

use aws_lc_rs::signature::KeyPair as _;
use serde_json::{Value, json};

use super::signers::hs256;
use super::table::{Rows, all_alike, bearer};
use super::{Kind, Token, base64};

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
            put("with a blank in it", &format!("{} {}", text.split_at(9).0, text.split_at(9).1));
            let other_alphabet = text.replace('-', "+").replace('_', "/");
            if other_alphabet != text {
                put("in another alphabet", &other_alphabet);
            }
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
    let next = alphabet.split_once(last).unwrap().1.chars().next().unwrap();
    format!("{rest}{next}")
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
