//! Claims that are missing, of the wrong type, twice, or not ours.

use serde_json::{Value, json};

use super::Token;
use super::table::{Rows, all_alike, bearer};

#[test]
fn missing_and_of_the_wrong_type() {
    all_alike(80, |app, keys| {
        let mut rows = Rows::new();
        let own = || keys.own.token(app);
        for name in ["iss", "sub", "account_id", "role", "exp"] {
            bearer(&mut rows, format!("without {name}"), own().claim(name, Value::Null).sign());
            let null = own().sign_claims(with_claim(&own(), name, "null").as_bytes());
            bearer(&mut rows, format!("{name} null"), null);
        }
        let texts = ["", "x", "1", "1.0", "true"].map(Value::from);
        let numbers = [json!(1), json!(1.5), json!(-1), json!(u64::MAX)];
        let others = [json!(true), json!(false), json!([]), json!(["x"]), json!([1]), json!({}), json!({"x": 1})];
        for name in ["iss", "sub", "role", "aud"] {
            for value in numbers.iter().chain(&others) {
                bearer(&mut rows, format!("{name} {value}"), own().claim(name, value.clone()).sign());
            }
        }
        for name in ["exp", "nbf", "iat", "account_id"] {
            for value in texts.iter().chain(&others) {
                bearer(&mut rows, format!("{name} {value}"), own().claim(name, value.clone()).sign());
            }
        }
        for value in [json!(1.5), json!(1.0), json!(1e3), json!(0), json!(-1), json!(i64::MIN), json!(u64::MAX)] {
            bearer(&mut rows, format!("account_id {value}"), own().claim("account_id", value).sign());
        }
        for value in
            [json!("publish"), json!({}), json!(1), json!([1]), json!([null]), json!([["publish"]]), json!(true)]
        {
            bearer(&mut rows, format!("scopes {value}"), own().claim("scopes", value).sign());
        }
        for value in [json!(1), json!([]), json!({}), json!(true)] {
            bearer(&mut rows, format!("jti {value}"), own().claim("jti", value).sign());
        }
        rows
    });
}

#[test]
fn not_ours() {
    all_alike(30, |app, keys| {
        let mut rows = Rows::new();
        let own = || keys.own.token(app);
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
            json!(uuid.trim_start_matches('1')),
            json!(format!("{uuid} ")),
            json!(uuid.replacen('1', "g", 1)),
        ] {
            bearer(&mut rows, format!("aud {value}"), own().claim("aud", value).sign());
        }
        rows
    });
}

#[test]
fn stale_and_early() {
    all_alike(15, |app, keys| {
        let mut rows = Rows::new();
        let own = || keys.own.token(app);
        let now = app.now().unix_timestamp();
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
        // Lives longer than 366 days, with the leeway and what the test takes.
        for value in [json!(now + 366 * 86_400 + 60), json!(now * 2), json!(i64::MAX), json!(u64::MAX), json!(1e300)] {
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
