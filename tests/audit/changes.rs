//! Every change is exactly one entry, in the transaction of the change. A route that changes something and is neither here nor among
//! the exceptions fails the test.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;
use widget_registry::routes;

use crate::support::{Answer, Sample, TestApp, test};

const OWN: Uuid = Uuid::from_u128(0x1111_1111_1111_4111_8111_1111_1111_1111);
const MADE: Uuid = Uuid::from_u128(0x3333_3333_3333_4333_8333_3333_3333_3333);

/// What stands in every value that is not to be written down.
const MARK: &str = "hush-5f2d";

/// Routes that are not read-only and write no entry, and why.
const EXCEPTIONS: [(&str, &str, &str); 13] = [
    ("POST", "/registry/v1/widgets/{code}/plan", "stores nothing"),
    (
        "PUT",
        "/registry/v1/widgets/{code}/rating",
        "a vote is a row that names its user, and every user may vote without end",
    ),
    ("DELETE", "/registry/v1/widgets/{code}/rating", "as above"),
    ("POST", "/api/v4/{bot_type}/{bot_id}/continue/{continue_id}", "the bot's record tells who continued it"),
    ("POST", "/registry/v1/{bot_type}/{bot_id}/continuations", "is the bot's record itself"),
    ("POST", "/registry/v1/continuations/{continue_id}/render", "stores nothing"),
    ("POST", "/registry/v1/continuations/{continue_id}/fail", "the bot's record tells who gave up"),
    ("POST", "/registry/v1/continuations/{continue_id}/cancel", "the bot's record tells who took it back"),
    ("POST", "/registry/v1/continuations/{continue_id}/extend", "a deadline of the bot's record, set by its engine"),
    ("POST", "/oauth2/access_token", "gives tokens to whoever has the secret, as the rows of refresh tokens tell"),
    ("POST", "/registry/v1/deliveries/lease", "work of an engine, told by the delivery and its attempts"),
    ("POST", "/registry/v1/deliveries/{delivery_id}/ack", "as above"),
    ("POST", "/registry/v1/deliveries/{delivery_id}/nack", "as above"),
];

/// A request, and the entry that it must write.
struct Case {
    method: &'static str,
    route: &'static str,
    path: String,
    body: Vec<u8>,
    action: &'static str,
    subject: String,
    acted_as: &'static str,
    details: Value,
}

fn sample(version: &str) -> Vec<u8> {
    let fields = [("secret", "Secret", "pass", false), ("note", "Note", "text", false)];
    Sample::new("w", version, &fields).location("lead_sources").zip()
}

/// Every change, in an order in which each is possible.
fn cases() -> Vec<Case> {
    let own = OWN.to_string();
    let mut cases = Vec::new();
    let mut of = |(method, route): (&'static str, &'static str),
                  query: &str,
                  body: &[u8],
                  (action, acted_as): (&'static str, &'static str),
                  details: Value| {
        let subject = if route.contains("/integrations") { MADE.to_string() } else { "w".to_owned() };
        let path =
            route.replace("{code}", "w").replace("{version}", "1.1.0").replace("{client_uuid}", &MADE.to_string());
        let path = path.replace("{delivery_id}", "2000") + query;
        cases.push(Case { method, route, path, body: body.to_vec(), action, subject, acted_as, details });
    };
    let settings = |more: &str| {
        format!(r#"{{"secret":"{MARK}{more}{}","note":"{MARK}"}}"#, crate::support::secret("audit")).into_bytes()
    };

    let publish = ("POST", "/registry/v1/widgets");
    let query = format!("?code=w&visibility=public&client_uuid={own}");
    of(
        publish,
        &query,
        &sample("1.0.0"),
        ("version.published", "publish"),
        json!({
            "version": "1.0.0", "is_current": true, "is_new_widget": true, "visibility": {"from": "private", "to": "public"},
            "client_uuid": {"from": null, "to": own},
        }),
    );
    let plain = json!({"version": "1.1.0", "is_current": true, "is_new_widget": false});
    of(publish, "?code=w", &sample("1.1.0"), ("version.published", "publish"), plain);
    let template = json!({"is_crm_template": {"from": false, "to": true}});
    of(publish, "?code=w&is_crm_template=1", &sample("1.1.0"), ("widget.attributes_changed", "publish"), template);
    let (down, up) = (json!({"from": "1.1.0", "to": "1.0.0"}), json!({"from": "1.0.0", "to": "1.1.0"}));
    let yank = ("POST", "/registry/v1/widgets/{code}/versions/{version}/yank");
    of(yank, "", b"", ("version.yanked", "publish"), json!({"version": "1.1.0", "current": down}));
    let restore = ("POST", "/registry/v1/widgets/{code}/versions/{version}/restore");
    of(restore, "", b"", ("version.restored", "publish"), json!({"version": "1.1.0", "current": up}));
    let current = ("PUT", "/registry/v1/widgets/{code}/current");
    let pinned = json!({"version": "1.0.0", "current": down});
    of(current, "", br#"{"version":"1.0.0"}"#, ("version.pinned", "publish"), pinned);
    of(current, "", br#"{"version":null}"#, ("version.unpinned", "publish"), json!({"current": up}));
    let visibility = ("PUT", "/registry/v1/widgets/{code}/visibility");
    let hidden = json!({"visibility": {"from": "public", "to": "private"}});
    of(visibility, "", br#"{"visibility":"private"}"#, ("widget.visibility_changed", "publish"), hidden);
    let message = format!(r#"{{"message":"{MARK}"}}"#);
    let deprecate = ("POST", "/registry/v1/widgets/{code}/deprecate");
    of(deprecate, "", message.as_bytes(), ("widget.deprecated", "publish"), json!({"replacement": null}));
    of(("DELETE", deprecate.1), "", b"", ("widget.undeprecated", "publish"), json!({}));

    let install = ("POST", "/api/v4/widgets/{code}");
    let both = ["secret", "note"];
    of(install, "", &settings("1"), ("widget.installed", "admin"), json!({"settings": both, "changed": both}));
    let one = json!({"settings": both, "changed": ["secret"]});
    of(install, "", &settings("2"), ("widget.settings_changed", "admin"), one);
    let gone = json!({"settings": ["note"], "changed": ["note", "secret"]});
    of(install, "", br#"{"note":""}"#, ("widget.settings_changed", "admin"), gone);
    let source = ("PUT", "/registry/v1/installs/{code}/lead-source");
    of(source, "", br#"{"pipeline_id":3}"#, ("widget.lead_source_changed", "admin"), json!({"pipeline_id": 3}));
    of(("DELETE", install.1), "", b"", ("widget.uninstalled", "admin"), json!({"forced": false}));

    let integrations = ("POST", "/registry/v1/integrations");
    let body = format!(r#"{{"name":"{MARK}","redirect_uri":"https://{MARK}.example/","client_uuid":"{MADE}"}}"#);
    let members = json!({"members": ["name", "redirect_uri"]});
    of(integrations, "", body.as_bytes(), ("integration.created", "publish"), members);
    let integration = ("PATCH", "/registry/v1/integrations/{client_uuid}");
    let members = json!({"members": ["redirect_uri", "disable_hook"]});
    let body = br#"{"redirect_uri":null,"disable_hook":null}"#;
    of(integration, "", body, ("integration.changed", "publish"), members);
    let secrets = ("POST", "/registry/v1/integrations/{client_uuid}/secrets");
    let keep = json!({"keep_old_seconds": 60});
    let body = br#"{"keep_old_seconds":60}"#;
    of(secrets, "", body, ("integration.secret_replaced", "publish"), keep.clone());
    of(("POST", "/registry/v1/webhook-secret"), "", body, ("webhook_secret.replaced", "bots"), keep);
    of(("POST", "/registry/v1/deliveries/{delivery_id}/replay"), "", b"", ("delivery.replayed", "bots"), json!({}));

    let revocations = ("POST", "/registry/v1/revocations");
    of(revocations, "", br#"{"jti":"abc"}"#, ("tokens.revoked", "admin"), json!({}));
    let owner = ("PUT", "/registry/v1/widgets/{code}/owner");
    let steps = json!({"account_id": {"from": 1, "to": 2}, "user_id": {"from": 7, "to": 7}, "client_uuid": own});
    of(owner, "", br#"{"account_id":2,"user_id":7}"#, ("widget.owner_changed", "publish"), steps);
    of(("DELETE", "/registry/v1/widgets/{code}"), "", b"", ("widget.deleted", "publish"), json!({"forced": false}));
    for case in &mut cases {
        match case.action {
            "webhook_secret.replaced" => "webhook-secret".clone_into(&mut case.subject),
            "tokens.revoked" => "token abc".clone_into(&mut case.subject),
            "delivery.replayed" => "2000".clone_into(&mut case.subject),
            // The other one was handed over.
            "widget.deleted" => {
                (case.path, case.subject) = ("/registry/v1/widgets/other".to_owned(), "other".to_owned());
            }
            _ => {}
        }
    }
    cases
}

/// What the cases need beside each other: a second widget, and a dead event.
async fn prepare(app: &TestApp) {
    app.publish(&Sample::plain("other")).await;
    for statement in [
        "INSERT INTO delivery_lanes (account_id, way, lane) VALUES (1, 'pull', 'salesbot/77')",
        "INSERT INTO deliveries (account_id, id, way, lane, kind, subject_id, payload, state, due_at, give_up_at, attempts, closed_at) \
         VALUES (1, 2000, 'pull', 'salesbot/77', 'continuation.failed', 1, '{}', 'dead', NULL, now(), 1, now())",
    ] {
        sqlx::query(statement).execute(&app.pool).await.unwrap();
    }
}

async fn send(app: &TestApp, case: &Case) -> Answer {
    let kind = if case.route == "/registry/v1/widgets" { "application/zip" } else { "application/json" };
    let admin = app.admin();
    let request = admin.request(case.method, &case.path).header("content-type", kind).body(case.body.clone());
    admin.send(request).await
}

/// Every entry of every account, the latest last.
async fn entries(app: &TestApp) -> Vec<Value> {
    let rows: Vec<String> =
        sqlx::query_scalar("SELECT row_to_json(e)::text FROM audit_entries e ORDER BY account_id, seq")
            .fetch_all(&app.pool)
            .await
            .unwrap();
    rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect()
}

#[test]
fn every_route_that_changes_something_is_audited_or_has_a_reason() {
    let all = routes::table().into_iter().filter(|route| !route.method.is_safe());
    let all: BTreeSet<_> = all.map(|route| (route.method.to_string(), route.path)).collect();
    let audited: BTreeSet<_> = cases().iter().map(|case| (case.method.to_owned(), case.route)).collect();
    let excepted: BTreeSet<_> = EXCEPTIONS.iter().map(|(method, path, _)| ((*method).to_owned(), *path)).collect();
    assert!(audited.is_disjoint(&excepted));
    assert_eq!(all, &audited | &excepted);
}

#[test]
fn each_change_is_one_entry_that_tells_who_and_what() {
    test(async |app| {
        prepare(app).await;
        let mut secrets = vec![MARK.to_owned()];
        for case in cases() {
            let before = entries(app).await;
            let answer = send(app, &case).await;
            assert!(answer.status < 300, "{} {}: {answer:?}", case.method, case.path);
            if !answer.body.is_empty()
                && let Some(secret) = answer.json()["secret"].as_str()
            {
                secrets.push(secret.trim_start_matches("whsec_").to_owned());
            }
            let after = entries(app).await;
            assert_eq!(after.len(), before.len() + 1, "{} {}", case.method, case.path);
            let entry = after.last().unwrap();
            let name = format!("{} {}: {entry}", case.method, case.path);
            let text = |member: &str| entry[member].as_str().unwrap();
            assert_eq!((text("action"), text("subject")), (case.action, case.subject.as_str()), "{name}");
            assert_eq!((text("acted_as"), entry["details"].clone()), (case.acted_as, case.details), "{name}");
            assert_eq!(text("request_id"), answer.header("x-request-id"), "{name}");
            let by = [&entry["account_id"], &entry["by_account_id"], &entry["by_user_id"], &entry["by_client_uuid"]];
            assert_eq!(by, [&json!(1), &json!(1), &json!(7), &Value::Null], "{name}");
        }
        assert_eq!(secrets.len(), 4, "every secret that was made");
        let written = entries(app).await.into_iter().map(|entry| entry.to_string()).collect::<String>();
        for secret in secrets {
            assert!(!written.contains(&secret), "{secret}");
        }
    });
}

#[test]
fn a_change_whose_entry_cannot_be_written_is_not_made() {
    test(async |app| {
        prepare(app).await;
        let execute = async |statement: &'static str| {
            sqlx::query(statement).execute(&app.pool).await.unwrap();
        };
        // An account's data key is made before the first secret that it seals, and stays without one.
        let contents = async || {
            let mut contents = app.contents().await;
            contents.remove("data_keys");
            contents
        };
        for case in cases() {
            let before = contents().await;
            execute("ALTER TABLE audit_entries ADD CONSTRAINT refused CHECK (false) NOT VALID").await;
            let name = format!("{} {}", case.method, case.path);
            let answer = send(app, &case).await;
            assert_eq!(answer.status, 500, "{name}: {answer:?}");
            assert_eq!(contents().await, before, "{name}");
            execute("ALTER TABLE audit_entries DROP CONSTRAINT refused").await;
            assert!(send(app, &case).await.status < 300, "{name}");
        }
    });
}

#[test]
fn what_is_refused_or_changes_nothing_is_no_entry() {
    test(async |app| {
        app.publish(&Sample::field("pass", true)).await;
        let before = entries(app).await;
        let admin = app.admin();
        // The very same archive, settings that break rules, a widget that is not installed, somebody else's widget.
        app.publish(&Sample::field("pass", true)).await;
        admin.post("/api/v4/widgets/one_pass", "{}").await.problem(400);
        admin.delete("/api/v4/widgets/one_pass").await.problem(404);
        admin.put("/registry/v1/installs/one_pass/lead-source", r#"{"pipeline_id":1}"#).await.problem(404);
        admin.put("/registry/v1/widgets/none/visibility", r#"{"visibility":"public"}"#).await.problem(404);
        app.user().delete("/api/v4/widgets/one_pass").await.problem(403);
        assert_eq!(entries(app).await, before);
    });
}
