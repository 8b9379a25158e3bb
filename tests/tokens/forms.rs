//! What is no token at all, stands in the wrong place, or is too large.

use serde_json::json;

use super::Signer;
use super::signers::message;
use super::table::{Rows, all_alike, bearer};
use crate::support::{Raw, Setup, test_with};

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
        for space in ['\u{a0}', '\u{3000}'] {
            rows.push((format!("{space:?} around it"), format!("Bearer {space}{token}{space}").into_bytes()));
        }
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
