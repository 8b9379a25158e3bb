//! Section 6 of the contract: what an install takes, what it stores and what it answers.

use uuid::Uuid;

use crate::support::{Answer, Claims, Sample, TestApp, secret, test};

const INTEGRATION: Uuid = Uuid::from_u128(0x1111_1111_1111_4111_8111_1111_1111_1111);

/// Publishes a widget whose settings this integration may read.
pub(super) async fn publish(app: &TestApp, sample: &Sample) {
    let path = format!("/registry/v1/widgets?code={}&visibility=public&client_uuid={INTEGRATION}", sample.code);
    let answer = app.admin().post_bytes(&path, "application/zip", sample.zip()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

/// The bytes of `settings` in an answer; empty when it has none.
pub(super) fn settings(answer: &Answer) -> String {
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/hal+json"), "{answer:?}");
    let text = answer.text();
    let Some((_, settings)) = text.split_once(r#","settings":"#) else { return String::new() };
    settings.split_once(r#","_links":"#).unwrap().0.to_owned()
}

/// What the widget's own integration reads.
pub(super) async fn stored(app: &TestApp, code: &str) -> String {
    let integration = app.caller(Claims::user(1, 8).client(INTEGRATION));
    settings(&integration.get(&format!("/api/v4/widgets/{code}")).await)
}

#[test]
fn the_body_is_the_settings_object() {
    test(async |app| {
        publish(app, &Sample::telephony()).await;
        let (admin, path) = (app.admin(), "/api/v4/widgets/amo_asterisk");
        // A wrapper is a key that the template does not have.
        let wrapped = r#"{"settings":{"login":"a","password":"b","phones":{"1":"2"},"script_path":"c"}}"#;
        let missing =
            ["FieldMissing login", "FieldMissing password", "FieldMissing phones", "FieldMissing script_path"];
        assert_eq!(admin.post(path, wrapped).await.violations(), [&missing[..], &["NotExpected settings"]].concat());
        for empty in ["{}", "[]", "", " [ ] "] {
            assert_eq!(admin.post(path, empty).await.violations(), missing, "{empty}");
        }
        for other in ["[1]", "[[]]", r#""a""#, "5", "null", "true"] {
            assert_eq!(admin.post(path, other).await.violations(), ["InvalidType "], "{other}");
        }
        // The template's order, whatever the body's is; secrets in clear.
        let password = secret("eXaMp1E");
        let body = &format!(r#"{{"script_path":"c","phones":{{"504141":1039}},"password":"{password}","login":"a"}}"#);
        let phones = r#"{"504141":"1039"}"#;
        let expected = format!(r#"{{"login":"a","password":"{password}","phones":{phones},"script_path":"c"}}"#);
        assert_eq!(settings(&admin.post(path, body).await), expected);
        assert_eq!(stored(app, "amo_asterisk").await, expected);
    });
}

#[test]
fn a_widget_without_settings_takes_none() {
    test(async |app| {
        publish(app, &Sample::plain("plain")).await;
        let (admin, path) = (app.admin(), "/api/v4/widgets/plain");
        for body in ["", "{}", "[]"] {
            let answer = admin.post(path, body).await;
            assert_eq!((settings(&answer), &answer.json()["is_active_in_account"]), ("{}".to_owned(), &true.into()));
        }
        let bare = admin.send(admin.request("POST", path)).await;
        assert_eq!(settings(&bare), "{}");
        assert_eq!(stored(app, "plain").await, "{}");
        assert_eq!(admin.post(path, r#"{"a":null}"#).await.violations(), ["NotExpected a"]);
    });
}

#[test]
fn every_error_is_told_with_its_text() {
    test(async |app| {
        let fields = [("b", "B", "text", true), ("a", "A", "users", true), ("c", "C", "users_lp", false)];
        publish(app, &Sample::new("three", "1.0.0", &fields)).await;
        let body = r#"{"z":1,"c":{"5":{"login":5}},"a":{"504141":true},"b":" "}"#;
        let answer = app.admin().post("/api/v4/widgets/three", body).await;
        assert_eq!((answer.status, answer.header("content-type")), (400, "application/problem+json"));
        let errors = [
            r#"{"code":"NotBlank","path":"b","detail":"This value should not be blank."}"#,
            r#"{"code":"InvalidType","path":"a.504141","detail":"This value should be of type string."}"#,
            r#"{"code":"InvalidType","path":"c.5.login","detail":"This value should be of type string."}"#,
            r#"{"code":"FieldMissing","path":"c.5.password","detail":"This field is missing."}"#,
            r#"{"code":"NotExpected","path":"z","detail":"This field was not expected."}"#,
        ];
        let expected = format!(
            r#"{{"validation-errors":[{{"request_id":"0","errors":[{}]}}],"title":"Bad Request","type":"https://httpstatus.es/400","status":400,"detail":"Request validation failed"}}"#,
            errors.join(",")
        );
        assert_eq!(answer.text(), expected);
    });
}

#[test]
fn installing_again_replaces_and_a_refusal_changes_nothing() {
    test(async |app| {
        let fields = [("a", "A", "text", false), ("b", "B", "pass", false)];
        publish(app, &Sample::new("two", "1.0.0", &fields)).await;
        let (admin, path) = (app.admin(), "/api/v4/widgets/two");
        assert_eq!(settings(&admin.post(path, r#"{"a":"1","b":"2"}"#).await), r#"{"a":"1","b":"2"}"#);
        assert_eq!(settings(&admin.post(path, r#"{"b":"3"}"#).await), r#"{"b":"3"}"#);
        assert_eq!(stored(app, "two").await, r#"{"b":"3"}"#);
        admin.post(path, r#"{"a":"4","b":5}"#).await.violations();
        admin.post(path, r#"{"a":"4","a":"5"}"#).await.problem(400);
        admin.post(path, r#"{"a":"4","c":"5"}"#).await.violations();
        assert_eq!(stored(app, "two").await, r#"{"b":"3"}"#);
        assert_eq!(settings(&admin.post(path, "[]").await), "{}");
        assert_eq!(stored(app, "two").await, "{}");
    });
}

#[test]
fn only_the_admin_and_the_own_integration_see_settings() {
    test(async |app| {
        publish(app, &Sample::field("pass", true)).await;
        let path = "/api/v4/widgets/one_pass";
        let hush = format!(r#"{{"field":"{}"}}"#, secret("hush"));
        assert_eq!(settings(&app.admin().post(path, &hush).await), hush);
        let other = Uuid::from_u128(7);
        for (who, sees) in [
            (Claims::admin(1, 7), ""),
            (Claims::admin(1, 7).client(other), ""),
            (Claims::user(1, 8), ""),
            (Claims::admin(2, 7).client(INTEGRATION), ""),
            (Claims::user(1, 8).client(INTEGRATION), hush.as_str()),
        ] {
            let caller = app.caller(who);
            assert_eq!(settings(&caller.get(path).await), sees);
            assert!(!caller.get("/api/v4/widgets").await.text().contains("hush"));
        }
    });
}

#[test]
fn checks_come_in_their_order() {
    test(async |app| {
        publish(app, &Sample::field("text", true)).await;
        let stranger = app.caller(Claims::admin(2, 9).scopes(&["publish"]));
        app.publish_as(&stranger, &Sample::plain("hidden"), "private").await;
        let (admin, path) = (app.admin(), "/api/v4/widgets/one_text");
        // The right before the body, the body before the widget, the widget before the rules.
        assert_eq!(app.user().post(path, "{").await.problem(403), "Insufficient rights to call this method");
        let absent = "Widget isn't found or is unavailable";
        for code in ["absent", "hidden", "One_text", "one_text%2F", "%00", "1"] {
            let path = format!("/api/v4/widgets/{code}");
            admin.post(&path, "{").await.problem(400);
            assert_eq!(admin.post(&path, r#"{"field":5}"#).await.problem(404), absent, "{code}");
        }
        for malformed in
            ["{", "{}{}", r#"{"field":"\ud800"}"#, r#"{"field":"\u0000"}"#, r#"{"field":"a","fiel\u0064":"b"}"#]
        {
            let detail = admin.post(path, malformed).await.problem(400);
            assert_ne!(detail, "Request validation failed", "{malformed}");
        }
        let text = admin.post_bytes(path, "text/plain", br#"{"field":"a"}"#.to_vec()).await;
        assert_eq!(text.problem(415), "The body must be sent as application/json");
        assert_eq!(
            settings(&admin.post_bytes(path, "application/json; charset=utf-8", br#"{"field":"a"}"#.to_vec()).await),
            r#"{"field":"a"}"#
        );
    });
}

#[test]
fn limits() {
    test(async |app| {
        let fields = [
            ("t", "T", "text", false),
            ("p", "P", "pass", false),
            ("c", "C", "custom", false),
            ("u", "U", "users", false),
        ];
        publish(app, &Sample::new("big", "1.0.0", &fields)).await;
        let (admin, path) = (app.admin(), "/api/v4/widgets/big");
        let text = |key: &str, size: usize| format!(r#"{{"{key}":"{}"}}"#, "x".repeat(size));
        for (key, size) in [("t", 16 * 1024), ("p", 4 * 1024)] {
            assert_eq!(settings(&admin.post(path, &text(key, size)).await), text(key, size));
            let refused = admin.post(path, &text(key, size + 1)).await;
            assert_eq!(refused.violations(), [format!("TooLong {key}")]);
        }
        // Two of these bytes are quotes.
        assert_eq!(admin.post(path, &text("c", 64 * 1024 - 2)).await.status, 200);
        assert_eq!(admin.post(path, &text("c", 64 * 1024 - 1)).await.violations(), ["TooLong c"]);
        let users = |count: usize| {
            let users: Vec<String> = (1..=count).map(|user| format!(r#""{user}":{user}"#)).collect();
            format!(r#"{{"u":{{{}}}}}"#, users.join(","))
        };
        assert_eq!(admin.post(path, &users(1000)).await.status, 200);
        admin.post(path, &users(1001)).await.problem(400);
        let nested = |depth: usize| format!(r#"{{"c":{}{}}}"#, "[".repeat(depth - 1), "]".repeat(depth - 1));
        assert_eq!(settings(&admin.post(path, &nested(16)).await), nested(16));
        admin.post(path, &nested(17)).await.problem(400);
        let large = "x".repeat(256 * 1024 + 1);
        assert_eq!(admin.post(path, &large).await.problem(413), "The body is larger than 262144 bytes");
    });
}
