//! The edges of a token's life: thirty seconds of leeway on either side, and not one more.

use serde_json::{Value, json};
use time::OffsetDateTime;
use widget_registry::auth::{self, AccountId, Checked, Refusal, Revocation, Revocations, Subject, Verifier};
use widget_registry::sources::Clock;

use super::Signer;
use crate::support::{Claims, TestApp, test};

/// The verdict on a token with this claim, at a clock that stands still.
fn verdict(app: &TestApp, name: &str, value: &Value) -> Option<Refusal> {
    const NOW: i64 = 1_800_000_000;
    let signer = Signer::of(app);
    let verifier = Verifier::new("widget-registry".to_owned(), vec![app.key.verification_key()], &[]).unwrap();
    let value = value.as_f64().map_or_else(
        || value.clone(),
        |seconds| {
            if seconds.fract() == 0.0 { json!(NOW + value.as_i64().unwrap()) } else { json!(1_800_000_000.0 + seconds) }
        },
    );
    let token = signer.token(app).claim("iat", json!(NOW)).claim("exp", json!(NOW + 3_600)).claim(name, value);
    let clock = Clock::new(|| OffsetDateTime::from_unix_timestamp(NOW).unwrap());
    let (token, revoked, checked) = (token.sign(), Revocations::default(), Checked::default());
    let verdict = auth::check(&token, &verifier, &revoked, &clock).err();
    // One that was seen before is judged alike.
    for _ in 0..2 {
        assert_eq!(checked.check(token.as_bytes(), &verifier, &revoked, &clock).err(), verdict);
    }
    verdict
}

#[test]
fn seconds() {
    test(async |app| {
        let rows = [
            ("exp", json!(3_600), None),
            ("exp", json!(1), None),
            ("exp", json!(0), None),
            ("exp", json!(-29), None),
            ("exp", json!(-29.5), None),
            ("exp", json!(-30), Some(Refusal::Expired)),
            ("exp", json!(-30.5), Some(Refusal::Expired)),
            ("exp", json!(-31), Some(Refusal::Expired)),
            ("exp", json!(-1_800_000_000), Some(Refusal::Expired)),
            ("exp", json!(366 * 86_400 + 30), None),
            ("exp", json!(366 * 86_400 + 31), Some(Refusal::LivesTooLong)),
            ("nbf", json!(-3_600), None),
            ("nbf", json!(0), None),
            ("nbf", json!(29.5), None),
            ("nbf", json!(30), None),
            ("nbf", json!(30.5), Some(Refusal::NotYet)),
            ("nbf", json!(31), Some(Refusal::NotYet)),
            ("nbf", json!(1_000_000_000_000_i64), Some(Refusal::NotYet)),
            // When it was issued decides only how long its whole life is.
            ("iat", json!(-3_600), None),
            ("iat", json!(3_600), None),
            ("iat", json!(3_600 - (366 * 86_400 + 30)), None),
            ("iat", json!(3_600 - (366 * 86_400 + 31)), Some(Refusal::LivesTooLong)),
        ];
        for (name, seconds, expected) in rows {
            assert_eq!(verdict(app, name, &seconds), expected, "{name} {seconds}");
        }
    });
}

#[test]
fn a_token_ends_thirty_seconds_after_its_end() {
    test(async |app| {
        // Lives for an hour. What the test itself takes is within the leeway.
        let caller = app.caller(Claims::user(1, 8));
        assert_eq!(caller.get("/api/v4/widgets").await.status, 200);
        app.pass(3_600);
        assert_eq!(caller.get("/api/v4/widgets").await.status, 200);
        app.pass(30);
        caller.get("/api/v4/widgets").await.problem(401);
    });
}

#[test]
fn a_token_begins_thirty_seconds_before_its_beginning() {
    test(async |app| {
        let signer = Signer::of(app);
        let begins = app.now().unix_timestamp() + 1_800;
        let caller = app.with_token(Some(signer.token(app).claim("nbf", json!(begins)).sign()));
        caller.get("/api/v4/widgets").await.problem(401);
        app.pass(1_770);
        assert_eq!(caller.get("/api/v4/widgets").await.status, 200);
    });
}

#[test]
fn of_a_checked_token_nothing_but_its_signature_is_remembered() {
    test(async |app| {
        let of = |keys| Verifier::new("widget-registry".to_owned(), keys, &[]).unwrap();
        let (verifier, none) = (of(vec![app.key.verification_key()]), of(vec![]));
        let (revoked, checked, now) = (Revocations::default(), Checked::default(), app.now());
        let at = |seconds: i64| Clock::new(move || now + time::Duration::seconds(seconds));
        let token = Claims::user(1, 8).sign(&app.key, now);
        let check = |token: &str, verifier: &Verifier, seconds| {
            checked.check(token.as_bytes(), verifier, &revoked, &at(seconds)).err()
        };
        assert_eq!(check(&token, &none, 0), Some(Refusal::UnknownKey));
        assert_eq!(check(&token, &verifier, 0), None);
        // It is remembered: no key is asked any more.
        assert_eq!(check(&token, &none, 0), None);
        assert_eq!(check(&token, &verifier, 3_700), Some(Refusal::Expired));
        // Of another signature nothing is known.
        let (said, signature) = token.rsplit_once('.').unwrap();
        // The last of its letters has bits that count for nothing and must be zero, so it stays.
        let first = if signature.starts_with('A') { "B" } else { "A" };
        let rest: String = signature.chars().skip(1).collect();
        let other = format!("{said}.{first}{rest}");
        assert_eq!(check(&other, &verifier, 0), Some(Refusal::Signature));
        let account = AccountId::new(1).unwrap();
        let issued_until = i64::try_from(now.unix_timestamp_nanos() / 1_000).unwrap();
        let kept_until = now.unix_timestamp() + 4_000;
        revoked.add([Revocation { account, subject: Subject::User("8".parse().unwrap()), issued_until, kept_until }]);
        assert_eq!(check(&token, &verifier, 0), Some(Refusal::Revoked));
    });
}
