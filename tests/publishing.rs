//! Publishing: who may, what it changes, and what it leaves alone.

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use uuid::Uuid;
use widget_registry::digest::Sha256;

use crate::support::{Answer, Claims, Client, Sample, TestApp, secret, test};

pub(super) const CLIENT: Uuid = Uuid::from_u128(0x1111_1111_1111_4111_8111_1111_1111_1111);
pub(super) const PATH: &str = "/registry/v1/widgets";

/// Publishes an archive with these parameters in the query.
pub(super) async fn publish(client: &Client, query: &str, archive: Vec<u8>) -> Answer {
    client.post_bytes(&format!("{PATH}?{query}"), "application/zip", archive).await
}

/// User 7 of account 1 without the right to publish for everybody.
pub(super) fn publisher(app: &TestApp) -> Client {
    app.caller(Claims::admin(1, 7).scopes(&["publish"]))
}

/// How many rows the catalogue has: widgets, versions, integrations.
pub(super) async fn rows(app: &TestApp) -> (i64, i64, i64) {
    let count = "SELECT (SELECT count(*) FROM widgets), (SELECT count(*) FROM widget_versions), (SELECT count(*) FROM integrations)";
    sqlx::query_as(count).fetch_one(&app.pool).await.unwrap()
}

/// A form with these parts: the head of each, and its content.
fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (disposition, content) in parts {
        body.extend(format!("--border\r\nContent-Disposition: form-data; {disposition}\r\n\r\n").bytes());
        body.extend(*content);
        body.extend(b"\r\n");
    }
    body.extend(b"--border--\r\n");
    body
}

pub(super) async fn send_form(client: &Client, parts: &[(&str, &[u8])]) -> Answer {
    client.post_bytes(PATH, "multipart/form-data; boundary=border", form(parts)).await
}

#[test]
fn a_new_widget_is_private() {
    test(async |app| {
        let archive = Sample::telephony().zip();
        let answer = publish(&publisher(app), "code=amo_asterisk", archive.clone()).await;
        assert_eq!((answer.status, answer.header("content-type")), (201, "application/json"), "{answer:?}");
        let body = answer.json();
        let expected = json!({
            "id": body["id"], "code": "amo_asterisk", "version": "1.1.6", "sha256": Sha256::of(&[&archive]).to_string(),
            "is_current": true, "already_published": false, "visibility": "private", "client_uuid": null,
            "is_crm_template": false, "findings": body["findings"],
        });
        assert_eq!(body, expected);
        let path = "/api/v4/widgets/amo_asterisk";
        // The publisher sees it in any role; nobody else does, not in the same account either.
        assert_eq!(app.caller(Claims::user(1, 7)).get(path).await.json()["id"], body["id"]);
        for stranger in [Claims::admin(1, 8), Claims::admin(2, 7)] {
            app.caller(stranger).get(path).await.problem(404);
        }
    });
}

#[test]
fn the_manifest_may_name_the_code() {
    test(async |app| {
        let mut sample = Sample::plain("x");
        sample.manifest["widget"]["code"] = json!("from_manifest");
        assert_eq!(publish(&publisher(app), "", sample.zip()).await.json()["code"], "from_manifest");
        assert_eq!(publish(&publisher(app), "code=given", sample.zip()).await.json()["code"], "given");
    });
}

#[test]
fn only_some_may_publish_for_everybody() {
    test(async |app| {
        let archive = Sample::plain("x").zip();
        let refused = publish(&publisher(app), "code=a&visibility=public", archive.clone()).await;
        let lacks = "Insufficient rights to call this method: the token lacks the scope `publish:public`";
        assert_eq!(refused.problem(403), lacks);
        let admin = app.caller(Claims::admin(1, 7).scopes(&["publish:public", "bots"]));
        let lacks = "Insufficient rights to call this method: the token lacks the scope `publish`";
        assert_eq!(publish(&admin, "code=a", archive.clone()).await.problem(403), lacks);
        assert_eq!(rows(app).await, (0, 0, 0));
        // The scope is the right; the role in the account plays no part.
        let user = app.caller(Claims::user(1, 8).scopes(&["publish", "publish:public"]));
        assert_eq!(publish(&user, "code=a&visibility=public", archive).await.status, 201);
    });
}

#[test]
fn the_same_archive_again_changes_nothing() {
    test(async |app| {
        let archive = Sample::plain("x").zip();
        let first = publish(&publisher(app), "code=a", archive.clone()).await;
        assert_eq!(first.status, 201);
        let again = publish(&publisher(app), "code=a", archive).await;
        assert_eq!(again.status, 200, "{again:?}");
        let mut expected = first.json();
        expected["already_published"] = json!(true);
        assert_eq!(again.json(), expected);
        assert_eq!(rows(app).await, (1, 1, 0));
    });
}

#[test]
fn a_version_has_one_content() {
    test(async |app| {
        let sample = Sample::plain("x");
        assert_eq!(publish(&publisher(app), "code=a", sample.zip()).await.status, 201);
        let other = Sample { script: "define([], function () { return null; });\n".to_owned(), ..sample };
        let refused = publish(&publisher(app), "code=a&is_crm_template=true", other.zip()).await;
        assert_eq!(refused.problem(409), "version 1.0.0 exists with other content; raise the version in manifest.json");
        let shown = publisher(app).get("/api/v4/widgets/a").await.json();
        assert_eq!((rows(app).await, &shown["is_crm_template"]), ((1, 1, 0), &false.into()));
        assert_eq!(publish(&publisher(app), "code=a", other.version("1.0.1").zip()).await.status, 201);
    });
}

#[test]
fn the_highest_version_is_current() {
    test(async |app| {
        let publisher = publisher(app);
        // Version, whether it is current at once, and what v4 shows then.
        for (version, is_current, shown) in [
            ("1.9", true, "1.9"),
            ("1.10", true, "1.10"),
            ("1.2", false, "1.10"),
            ("1.10.0.1", true, "1.10.0.1"),
            ("0.99.99", false, "1.10.0.1"),
            ("2", true, "2"),
            // Neither newer nor older: what came last counts.
            ("2.0", true, "2.0"),
        ] {
            let name = format!("Name of {version}");
            let sample = Sample::new("x", version, &[("field", &name, "text", false)]);
            let answer = publish(&publisher, "code=a", sample.zip()).await;
            let body = answer.json();
            assert_eq!(
                (answer.status, &body["is_current"], &body["version"]),
                (201, &is_current.into(), &version.into())
            );
            let widget = publisher.get("/api/v4/widgets/a").await.json();
            let field = &widget["settings_template"][0]["name"];
            assert_eq!((&widget["version"], field), (&shown.into(), &format!("Name of {shown}").into()));
        }
        // An archive again does not become current, neither an older nor an equal one.
        for version in ["1.2", "2"] {
            let sample = Sample::new("x", version, &[("field", &format!("Name of {version}"), "text", false)]);
            let again = publish(&publisher, "code=a", sample.zip()).await;
            assert_eq!((again.status, &again.json()["is_current"]), (200, &false.into()), "{again:?}");
        }
        assert_eq!(publisher.get("/api/v4/widgets/a").await.json()["version"], "2.0");
    });
}

#[test]
fn a_code_belongs_to_who_came_first() {
    test(async |app| {
        let archive = Sample::plain("x").zip();
        assert_eq!(publish(&publisher(app), "code=a", archive.clone()).await.status, 201);
        let newer = Sample::plain("x").version("2.0").zip();
        for stranger in [Claims::admin(1, 8), Claims::admin(2, 7)] {
            let stranger = app.caller(stranger.scopes(&["publish", "publish:public"]));
            for (query, archive) in [("code=a", &archive), ("code=a", &newer), ("code=a&visibility=public", &newer)] {
                let refused = publish(&stranger, query, archive.clone()).await;
                assert_eq!(refused.problem(409), "the code `a` belongs to another publisher; choose another one");
            }
            // Nor does a refusal claim the integration that came with it.
            let refused = publish(&stranger, &format!("code=a&client_uuid={CLIENT}"), newer.clone()).await;
            refused.problem(409);
        }
        assert_eq!(rows(app).await, (1, 1, 0));
        let shown = publisher(app).get("/api/v4/widgets/a").await.json();
        assert_eq!((&shown["version"], &shown["client_uuid"]), (&"1.0.0".into(), &Value::Null));
    });
}

#[test]
fn a_widget_becomes_public_and_stays_so() {
    test(async |app| {
        let archive = Sample::plain("x").zip();
        let stranger = app.caller(Claims::user(2, 5));
        assert_eq!(publish(&app.admin(), "code=a", archive.clone()).await.status, 201);
        stranger.get("/api/v4/widgets/a").await.problem(404);
        let shown = publish(&app.admin(), "code=a&visibility=public", archive.clone()).await;
        assert_eq!((shown.status, &shown.json()["visibility"]), (200, &"public".into()));
        assert_eq!(stranger.get("/api/v4/widgets/a").await.status, 200);
        let hiding = "the widget is public, and accounts may rely on it; publishing a version cannot make it private";
        for archive in [archive.clone(), Sample::plain("x").version("2.0").zip()] {
            assert_eq!(publish(&app.admin(), "code=a&visibility=private", archive).await.problem(409), hiding);
        }
        // What is not said stays as it is, and needs no scope.
        let newer = publish(&publisher(app), "code=a", Sample::plain("x").version("2.0").zip()).await;
        assert_eq!((newer.status, &newer.json()["visibility"]), (201, &"public".into()));
        assert_eq!(stranger.get("/api/v4/widgets/a").await.json()["version"], "2.0");
    });
}

#[test]
fn an_integration_belongs_to_who_came_first() {
    test(async |app| {
        let archive = Sample::plain("x").zip();
        let query = |code: &str| format!("code={code}&client_uuid={CLIENT}");
        assert_eq!(publish(&publisher(app), &query("a"), archive.clone()).await.status, 201);
        for stranger in [Claims::admin(1, 8), Claims::admin(2, 7)] {
            let stranger = app.caller(stranger.scopes(&["publish"]));
            let refused = publish(&stranger, &query("b"), archive.clone()).await;
            assert_eq!(refused.problem(409), format!("the integration {CLIENT} belongs to another publisher"));
        }
        assert_eq!(rows(app).await, (1, 1, 1));
        // Its owner has more than one widget with it.
        assert_eq!(publish(&publisher(app), &query("b"), archive).await.status, 201);
        let newer = publish(&publisher(app), "code=a", Sample::plain("x").version("2.0").zip()).await;
        assert_eq!(newer.json()["client_uuid"], CLIENT.to_string());
    });
}

#[test]
fn findings_are_told_and_kept() {
    test(async |app| {
        let sample = Sample::plain("x").location("moon");
        let answer = publish(&publisher(app), "code=a", sample.zip()).await;
        assert_eq!(answer.status, 201);
        let findings = &answer.json()["findings"];
        let finding =
            findings.as_array().unwrap().iter().find(|finding| finding["code"] == "manifest.locations.unknown");
        let finding = finding.unwrap_or_else(|| panic!("{answer:?}"));
        assert_eq!(
            (&finding["severity"], &finding["place"]["entry"], &finding["place"]["path"]),
            (&"warning".into(), &"manifest.json".into(), &"locations.1".into())
        );
        assert_eq!(finding["message"], "`moon` is not a known location; check its spelling.");
        let stored: String =
            sqlx::query_scalar("SELECT findings::text FROM widget_versions").fetch_one(&app.pool).await.unwrap();
        assert_eq!(&stored.parse::<Value>().unwrap(), findings);
    });
}

#[test]
fn an_archive_with_errors_is_refused_with_all_of_them() {
    test(async |app| {
        let mut sample = Sample::new("x", "one", &[("field", "Field", "phone", false)]).location("moon");
        sample.manifest["widget"]["interface_version"] = json!("2.5");
        let refused =
            publish(&app.admin(), &format!("code=a&visibility=public&client_uuid={CLIENT}"), sample.zip()).await;
        assert_eq!(refused.problem(400), "The archive was refused: 3 error(s), see `findings`");
        let body = refused.json();
        let findings = body["findings"].as_array().unwrap();
        let errors = findings.iter().filter(|finding| finding["severity"] == "error");
        let mut codes: Vec<&str> = errors.map(|finding| finding["code"].as_str().unwrap()).collect();
        codes.sort_unstable();
        let expected =
            ["manifest.interface-version.invalid", "manifest.settings.unknown-type", "manifest.version.invalid"];
        assert_eq!(codes, expected);
        assert!(findings.iter().any(|finding| finding["code"] == "manifest.locations.unknown"), "{refused:?}");
        assert_eq!(rows(app).await, (0, 0, 0));
    });
}

#[test]
fn a_broken_archive_leaves_no_row() {
    test(async |app| {
        let zip = Sample::plain("x").zip();
        let mut flipped = zip.clone();
        let middle = zip.len() / 3;
        flipped[middle] ^= 0xFF;
        for archive in
            [Vec::new(), b"no zip at all".to_vec(), zip[..zip.len() - 1].to_vec(), zip[1..].to_vec(), flipped]
        {
            let query = format!("code=a&visibility=public&client_uuid={CLIENT}");
            let refused = publish(&app.admin(), &query, archive).await;
            assert!(refused.problem(400).starts_with("The archive was refused: "));
            assert_ne!(refused.json()["findings"], json!([]));
        }
        assert_eq!(rows(app).await, (0, 0, 0));
        // The code and the integration are free for anybody.
        let other = app.caller(Claims::admin(2, 9).scopes(&["publish"]));
        assert_eq!(publish(&other, &format!("code=a&client_uuid={CLIENT}"), zip).await.status, 201);
    });
}

#[test]
fn locations_and_sections_become_flags() {
    test(async |app| {
        let mut section = Sample::plain("x");
        section.manifest["dp"] = json!({"settings": {}, "webhook_url": "https://hooks.widgets.io/"});
        let mut list = Sample::plain("x");
        list.manifest["dp"] = json!([]);
        for (code, sample, is_lead_source, is_work_with_dp) in [
            ("plain", Sample::plain("x"), false, false),
            ("source", Sample::plain("x").location("lead_sources"), true, false),
            ("location", Sample::plain("x").location("digital_pipeline"), false, true),
            ("section", section, false, true),
            ("list", list, false, true),
            ("both", Sample::plain("x").location("lead_sources").location("digital_pipeline"), true, true),
        ] {
            let answer = publish(&app.admin(), &format!("code={code}&visibility=public"), sample.zip()).await;
            assert_eq!(answer.status, 201, "{answer:?}");
            let shown = app.user().get(&format!("/api/v4/widgets/{code}")).await.json();
            let flags = (&shown["is_lead_source"], &shown["is_work_with_dp"], &shown["is_crm_template"]);
            assert_eq!(flags, (&is_lead_source.into(), &is_work_with_dp.into(), &false.into()), "{code}");
        }
    });
}

#[test]
fn the_manifests_secret_is_stored_nowhere() {
    test(async |app| {
        let mut sample = Sample::telephony();
        sample.manifest["widget"]["secret_key"] = json!(secret("ThisIsTheSecretKey"));
        sample.manifest["secret_key"] = json!(secret("ThisIsTheSecretKeyToo"));
        let answer = publish(&publisher(app), "code=amo_asterisk", sample.zip()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert!(
            answer.text().contains("manifest.secret-key") && !answer.text().contains("ThisIsTheSecret"),
            "{answer:?}"
        );
        let tables: Vec<String> =
            sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
                .fetch_all(&app.pool)
                .await
                .unwrap();
        assert!(tables.len() >= 6, "{tables:?}");
        let mut manifests = 0;
        for table in tables {
            let rows = AssertSqlSafe(format!("SELECT t::text FROM {table} t"));
            for text in sqlx::query_scalar::<_, String>(rows).fetch_all(&app.pool).await.unwrap() {
                for hidden in ["ThisIsTheSecret".to_owned(), hex("ThisIsTheSecret")] {
                    assert!(!text.contains(&hidden), "{table}: {text}");
                }
                manifests += usize::from(text.contains(&hex("secret_key")));
            }
        }
        // The search finds what stands in the manifest's bytes: the key without its value.
        assert_eq!(manifests, 1);
        let manifest: Vec<u8> =
            sqlx::query_scalar("SELECT manifest FROM widget_versions").fetch_one(&app.pool).await.unwrap();
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        assert_eq!((&manifest["widget"]["secret_key"], &manifest["secret_key"]), (&"".into(), &"".into()));
    });
}

/// As Postgres shows bytes.
fn hex(text: &str) -> String {
    text.bytes().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"))
}
