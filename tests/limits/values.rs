//! Limits of single values: settings, and what widgets and engine say of a waiting bot.

use crate::support::{Sample, Setup, TestApp, test, test_with};

/// Installs the widget with one field of this type and this value; returns the violations, none when it was installed.
async fn install(app: &TestApp, kind: &str, value: &str) -> Vec<String> {
    let answer = app.admin().post(&format!("/api/v4/widgets/one_{kind}"), &format!("{{\"field\":{value}}}")).await;
    if answer.status == 200 {
        assert_eq!(answer.json()["settings"]["field"], serde_json::from_str::<serde_json::Value>(value).unwrap());
        return Vec::new();
    }
    answer.violations()
}

/// A value of this length.
type Value<'a> = &'a dyn Fn(usize) -> String;

fn text(length: usize) -> String {
    format!("\"{}\"", "a".repeat(length))
}

#[test]
fn settings() {
    test(async |app| {
        for kind in ["text", "pass", "users", "users_lp", "custom"] {
            app.publish(&Sample::field(kind, false)).await;
        }
        let user = |length: usize| format!("{{\"7\":{}}}", text(length));
        let login = |length: usize| format!("{{\"7\":{{\"login\":{},\"password\":\"b\"}}}}", text(length));
        let password = |length: usize| format!("{{\"7\":{{\"login\":\"a\",\"password\":{}}}}}", text(length));
        let quoted = |length: usize| text(length - 2);
        let listed = |length: usize| format!("[{}]", text(length - 4));
        let cyrillic = |length: usize| format!("\"{}{}\"", "ж".repeat(length / 2), "a".repeat(length % 2));
        let rows: [(&str, usize, &str, Value<'_>); 9] = [
            ("text", 16 << 10, "field", &text),
            ("text", 16 << 10, "field", &cyrillic),
            ("pass", 4 << 10, "field", &text),
            ("pass", 4 << 10, "field", &cyrillic),
            ("users", 4 << 10, "field.7", &user),
            ("users_lp", 4 << 10, "field.7.login", &login),
            ("users_lp", 4 << 10, "field.7.password", &password),
            ("custom", 64 << 10, "field", &quoted),
            ("custom", 64 << 10, "field", &listed),
        ];
        for (kind, limit, path, value) in rows {
            assert!(install(app, kind, &value(limit)).await.is_empty(), "{kind} {path}");
            assert_eq!(install(app, kind, &value(limit + 1)).await, [format!("TooLong {path}")]);
        }
    });
}

/// An escape counts as the character that it stands for.
#[test]
fn escapes_in_settings() {
    test(async |app| {
        app.publish(&Sample::field("pass", false)).await;
        let escaped = |length: usize| format!("\"{}\"", "\\u0061".repeat(length));
        assert!(install(app, "pass", &escaped(4 << 10)).await.is_empty());
        assert_eq!(install(app, "pass", &escaped((4 << 10) + 1)).await, ["TooLong field"]);
    });
}

fn users(count: usize, value: &str) -> String {
    let entries: Vec<String> = (1..=count).map(|user| format!("\"{user}\":{value}")).collect();
    format!("{{{}}}", entries.join(","))
}

#[test]
fn entries_of_users() {
    // Past the members of any object, so that it is the field's own limit that answers.
    test_with(Setup::default().set("limits.object_keys", 2_000), async |app| {
        for (kind, value) in [("users", "\"1\""), ("users_lp", r#"{"login":"a","password":"b"}"#)] {
            app.publish(&Sample::field(kind, false)).await;
            assert!(install(app, kind, &users(1_000, value)).await.is_empty());
            assert_eq!(install(app, kind, &users(1_001, value)).await, ["TooMany field"]);
        }
    });
}

#[test]
fn entries_of_users_under_the_limit_of_members() {
    test(async |app| {
        app.publish(&Sample::field("users", false)).await;
        assert!(install(app, "users", &users(1_000, "\"1\"")).await.is_empty());
        let body = format!("{{\"field\":{}}}", users(1_001, "\"1\""));
        let answer = app.admin().post("/api/v4/widgets/one_users", &body).await;
        assert!(answer.problem(400).contains("`field` has more than 1000 members"));
    });
}

#[test]
fn the_lowest_characters() {
    test(async |app| {
        for kind in ["text", "pass", "custom"] {
            app.publish(&Sample::field(kind, false)).await;
            assert!(install(app, kind, r#""a\u0001\u001f\u007f\uffff""#).await.is_empty());
            let path = format!("/api/v4/widgets/one_{kind}");
            let answer = app.admin().post(&path, r#"{"field":"a\u0000"}"#).await;
            assert!(answer.problem(400).contains("U+0000"), "{answer:?}");
        }
    });
}

#[test]
fn messages_and_buttons() {
    test(async |app| {
        app.publish(&Sample::plain("w")).await;
        let show = |value: &str, buttons: usize| {
            let buttons = vec!["\"b\""; buttons].join(",");
            format!(r#"{{"handler":"show","params":{{"type":"buttons","value":"{value}","buttons":[{buttons}]}}}}"#)
        };
        let goto = |step: &str| format!(r#"{{"handler":"goto","params":{{"type":"question","step":{step}}}}}"#);
        let many = |count: usize| vec![show("a", 1); count].join(",");
        let rows = [
            (show(&"ж".repeat(80), 25), show(&"ж".repeat(81), 25), "TooLong execute_handlers.0.params.value"),
            (show("a", 25), show("a", 26), "TooMany execute_handlers.0.params.buttons"),
            (show("a", 0), show("", 0), "NotBlank execute_handlers.0.params.value"),
            (goto("0"), goto("-1"), "TooLow execute_handlers.0.params.step"),
            (goto("9223372036854775807"), goto("9223372036854775808"), "InvalidType execute_handlers.0.params.step"),
            (many(1), String::new(), "TooFew execute_handlers"),
            (many(10), many(11), "TooMany execute_handlers"),
        ];
        for (at, past, violation) in rows {
            let path = format!("/api/v4/salesbot/77/continue/{}", app.wait_for("w").await);
            let body = |handlers: &str| format!("{{\"execute_handlers\":[{handlers}]}}");
            assert_eq!(app.admin().post(&path, &body(&past)).await.violations(), [violation]);
            let answer = app.admin().post(&path, &body(&at)).await;
            assert_eq!(answer.status, 202, "{violation}: {answer:?}");
        }
    });
}

#[test]
fn idempotency_keys() {
    test(async |app| {
        app.publish(&Sample::plain("w")).await;
        let path = format!("/api/v4/salesbot/77/continue/{}", app.wait_for("w").await);
        let send = async |key: String| {
            let admin = app.admin();
            admin.send(admin.request("POST", &path).header("idempotency-key", key)).await
        };
        send("k".repeat(129)).await.problem(400);
        assert_eq!(send("k".repeat(128)).await.status, 202);
        assert_eq!(send("k".repeat(128)).await.status, 202);
    });
}

#[test]
fn openings() {
    test(async |app| {
        app.publish(&Sample::plain("w")).await;
        let open = async |kind: &str, timeout: i64, reference: &str| {
            let body = format!(
                r#"{{"widget_code":"w","entity":{{"type":"{kind}","id":5}},"timeout_seconds":{timeout},"reference":"{reference}"}}"#
            );
            app.admin().post("/registry/v1/salesbot/77/continuations", &body).await
        };
        let (kind, reference) = ("ж".repeat(32), "ж".repeat(128));
        assert_eq!(open(&kind, 2_592_000, &reference).await.status, 201);
        assert_eq!(open("leads", 1, "r").await.status, 201);
        assert_eq!(open(&format!("{kind}a"), 60, "s").await.violations(), ["TooLong entity.type"]);
        assert_eq!(open("leads", 60, &format!("{reference}a")).await.violations(), ["TooLong reference"]);
        assert_eq!(open("leads", 2_592_001, "t").await.violations(), ["OutOfRange timeout_seconds"]);
        assert_eq!(open("leads", 0, "u").await.violations(), ["TooLow timeout_seconds"]);
    });
}
