//! Sections 4 and 5 of the contract: a widget by its code, and who sees its settings.

use uuid::Uuid;

use super::{OWN, publish_with};
use crate::support::{Answer, Claims, Client, Sample, TestApp, test};

const OTHER: Uuid = Uuid::from_u128(0x2222_2222_2222_4222_8222_2222_2222_2222);
const PATH: &str = "/api/v4/widgets/secretive";

/// Everything of an answer but its id and its time.
fn bytes(answer: &Answer) -> (u16, Vec<(String, String)>, &str) {
    let mut headers: Vec<(String, String)> = answer
        .headers
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "x-request-id" | "date"))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    (answer.status, headers, answer.text())
}

/// The administrator of an account who publishes.
fn publisher(app: &TestApp, account: i64, user: i64) -> Client {
    app.caller(Claims::admin(account, user).scopes(&["publish", "publish:public"]))
}

/// A widget with a secret that belongs to the integration [`OWN`].
async fn publish_secretive(app: &TestApp, visibility: &str) {
    let sample = Sample::new("secretive", "1.0.0", &[("secret", "Secret", "pass", false)]);
    publish_with(&app.admin(), &sample, &format!("visibility={visibility}&client_uuid={OWN}")).await;
}

/// Installs it in an account with this secret.
async fn install(app: &TestApp, account: i64, secret: &str) {
    let answer = app.caller(Claims::admin(account, 7)).post(PATH, &format!(r#"{{"secret":"{secret}"}}"#)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["settings"]["secret"], secret);
}

/// The secret that a caller sees; `None` when there is no member `settings` at all.
async fn secret(app: &TestApp, claims: Claims) -> Option<String> {
    let answer = app.caller(claims).get(PATH).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let settings = answer.json().get("settings").cloned();
    assert_eq!(settings.is_some(), answer.text().contains(r#""settings":"#), "{answer:?}");
    settings.map(|settings| settings["secret"].as_str().unwrap().to_owned())
}

#[test]
fn a_public_widget_is_shown_to_everybody() {
    test(async |app| {
        let id = app.publish(&Sample::plain("a")).await;
        for claims in [Claims::user(1, 7), Claims::user(1, 8), Claims::admin(2, 7), Claims::user(3, 9).client(OTHER)] {
            let answer = app.caller(claims).get("/api/v4/widgets/a").await;
            assert_eq!((answer.status, answer.header("content-type")), (200, "application/hal+json"));
            assert_eq!((answer.json()["id"].as_i64(), answer.json()["code"].as_str()), (Some(id), Some("a")));
        }
    });
}

#[test]
fn a_private_widget_is_shown_to_the_user_who_uploaded_it() {
    test(async |app| {
        let mine = app.publish_as(&publisher(app, 1, 8), &Sample::plain("mine"), "private").await;
        for claims in [Claims::user(1, 8), Claims::admin(1, 8), Claims::user(1, 8).client(OTHER)] {
            let answer = app.caller(claims).get("/api/v4/widgets/mine").await;
            assert_eq!((answer.status, answer.json()["id"].as_i64()), (200, Some(mine)), "{answer:?}");
        }
        // Neither to somebody else of the account, nor to the same number in another account.
        for claims in [Claims::user(1, 7), Claims::admin(1, 7), Claims::admin(2, 8), Claims::admin(8, 1)] {
            app.caller(claims).get("/api/v4/widgets/mine").await.problem(404);
        }
    });
}

#[test]
fn what_a_caller_may_not_see_answers_as_what_does_not_exist() {
    test(async |app| {
        app.publish_as(&app.admin(), &Sample::plain("hidden"), "private").await;
        for claims in [Claims::user(1, 8), Claims::admin(1, 8), Claims::admin(2, 7), Claims::user(2, 7).client(OWN)] {
            let client = app.caller(claims.clone());
            let unknown = client.get("/api/v4/widgets/absent").await;
            assert_eq!(unknown.problem(404), "Widget isn't found or is unavailable");
            assert_eq!(bytes(&client.get("/api/v4/widgets/hidden").await), bytes(&unknown));
            let admin = app.caller(Claims::admin(claims.account, claims.user));
            for body in ["{}", r#"{"extra":1}"#] {
                let unknown = admin.post("/api/v4/widgets/absent", body).await;
                assert_eq!(unknown.problem(404), "Widget isn't found or is unavailable");
                assert_eq!(bytes(&admin.post("/api/v4/widgets/hidden", body).await), bytes(&unknown));
            }
        }
        let installs: i64 = sqlx::query_scalar("SELECT count(*) FROM installs").fetch_one(&app.pool).await.unwrap();
        assert_eq!(installs, 0);
    });
}

#[test]
fn an_installed_widget_is_shown_to_the_whole_account_however_it_became_private() {
    test(async |app| {
        app.publish(&Sample::plain("a")).await;
        let admin = app.caller(Claims::admin(2, 9));
        assert_eq!(admin.post("/api/v4/widgets/a", "{}").await.status, 200);
        sqlx::query("UPDATE widgets SET visibility = 'private'").execute(&app.pool).await.unwrap();
        app.reload().await;
        for claims in [Claims::user(2, 8), Claims::admin(2, 9), Claims::user(2, 8).client(OTHER)] {
            let answer = app.caller(claims).get("/api/v4/widgets/a").await;
            assert_eq!((answer.status, &answer.json()["is_active_in_account"]), (200, &true.into()), "{answer:?}");
        }
        app.caller(Claims::admin(3, 9)).get("/api/v4/widgets/a").await.problem(404);
        // Its settings can still be replaced; once uninstalled it is gone.
        assert_eq!(admin.post("/api/v4/widgets/a", "{}").await.status, 200);
        assert_eq!(admin.delete("/api/v4/widgets/a").await.status, 204);
        for client in [admin, app.caller(Claims::user(2, 8))] {
            client.get("/api/v4/widgets/a").await.problem(404);
        }
    });
}

#[test]
fn a_colleague_s_private_widget_is_shown_once_it_is_installed() {
    test(async |app| {
        app.publish_as(&publisher(app, 1, 9), &Sample::plain("a"), "private").await;
        app.user().get("/api/v4/widgets/a").await.problem(404);
        assert_eq!(publisher(app, 1, 9).post("/api/v4/widgets/a", "{}").await.status, 200);
        assert_eq!(app.user().get("/api/v4/widgets/a").await.status, 200);
        assert_eq!(app.admin().post("/api/v4/widgets/a", "{}").await.status, 200);
        assert_eq!(app.admin().delete("/api/v4/widgets/a").await.status, 204);
        app.user().get("/api/v4/widgets/a").await.problem(404);
        assert_eq!(publisher(app, 1, 9).get("/api/v4/widgets/a").await.status, 200);
    });
}

#[test]
fn settings_are_shown_to_the_widget_s_own_integration_only() {
    test(async |app| {
        publish_secretive(app, "public").await;
        install(app, 1, &crate::support::secret("hush")).await;
        for claims in [Claims::user(1, 8), Claims::user(1, 7), Claims::admin(1, 7), Claims::admin(1, 9)] {
            assert_eq!(
                secret(app, claims.clone().client(OWN)).await.as_deref(),
                Some(crate::support::secret("hush").as_str())
            );
            assert_eq!(secret(app, claims.clone().client(OTHER)).await, None);
            assert_eq!(secret(app, claims.clone()).await, None);
            // No scope opens them.
            assert_eq!(secret(app, claims.scopes(&["publish", "publish:public", "bots"])).await, None);
        }
    });
}

#[test]
fn settings_are_shown_only_where_and_while_the_widget_is_installed() {
    test(async |app| {
        publish_secretive(app, "public").await;
        let own = |account| Claims::admin(account, 7).client(OWN);
        assert_eq!(secret(app, own(1)).await, None);
        install(app, 1, "of one").await;
        assert_eq!(secret(app, own(1)).await.as_deref(), Some("of one"));
        assert_eq!(secret(app, own(2)).await, None);
        install(app, 2, "of two").await;
        assert_eq!(secret(app, own(1)).await.as_deref(), Some("of one"));
        assert_eq!(secret(app, own(2)).await.as_deref(), Some("of two"));
        install(app, 1, "of one, again").await;
        assert_eq!(secret(app, own(1)).await.as_deref(), Some("of one, again"));
        assert_eq!(app.admin().delete(PATH).await.status, 204);
        assert_eq!(secret(app, own(1)).await, None);
        assert_eq!(secret(app, own(2)).await.as_deref(), Some("of two"));
    });
}

#[test]
fn an_integration_opens_no_private_widget() {
    test(async |app| {
        publish_secretive(app, "private").await;
        install(app, 1, &crate::support::secret("hush")).await;
        // Installed in account 1, so that its users see the widget; in account 2 nobody does.
        assert_eq!(
            secret(app, Claims::user(1, 8).client(OWN)).await.as_deref(),
            Some(crate::support::secret("hush").as_str())
        );
        for claims in [Claims::admin(2, 7).client(OWN), Claims::user(2, 8).client(OWN)] {
            let answer = app.caller(claims).get(PATH).await;
            assert_eq!(answer.problem(404), "Widget isn't found or is unavailable");
        }
    });
}

/// No integration on either side is no match.
#[test]
fn a_widget_without_an_integration_shows_its_settings_to_nobody() {
    test(async |app| {
        app.publish(&Sample::new("secretive", "1.0.0", &[("secret", "Secret", "pass", false)])).await;
        install(app, 1, &crate::support::secret("hush")).await;
        for claims in [Claims::admin(1, 7), Claims::admin(1, 7).client(OWN), Claims::admin(1, 7).client(Uuid::nil())] {
            assert_eq!(secret(app, claims).await, None);
        }
    });
}

#[test]
fn settings_follow_the_widget_to_another_integration() {
    test(async |app| {
        publish_secretive(app, "public").await;
        install(app, 1, &crate::support::secret("hush")).await;
        let sample = Sample::new("secretive", "1.0.1", &[("secret", "Secret", "pass", false)]);
        publish_with(&app.admin(), &sample, &format!("client_uuid={OTHER}")).await;
        assert_eq!(secret(app, Claims::user(1, 8).client(OWN)).await, None);
        assert_eq!(
            secret(app, Claims::user(1, 8).client(OTHER)).await.as_deref(),
            Some(crate::support::secret("hush").as_str())
        );
    });
}

/// Asks for a path exactly as it is written, which HTTP clients would tidy up; returns the status line's code.
async fn status(app: &TestApp, path: &str) -> u16 {
    let token = Claims::user(1, 8).sign(&app.key, app.now());
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: crm.example\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    let answer = String::from_utf8(app.raw(request.as_bytes()).await).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let is_problem = head.contains("content-type: application/problem+json\r\n") && body.contains(r#""status":404"#);
    assert_eq!(is_problem, status == 404, "{path}: {answer}");
    status
}

#[test]
fn codes_are_found_up_to_every_edge_of_their_pattern() {
    test(async |app| {
        let longest = "x".repeat(64);
        for code in ["a", "z", "_", "0", "9", "a-b", "a.b", "a_b", "a..", "a--", "_._-9", "0.1", &longest] {
            let id = app.publish(&Sample::plain(code)).await;
            let shown = app.user().get(&format!("/api/v4/widgets/{code}")).await;
            assert_eq!((shown.status, shown.json()["id"].as_i64()), (200, Some(id)), "{code}: {shown:?}");
            assert_eq!(shown.json()["code"], code);
        }
    });
}

#[test]
fn a_code_is_compared_after_decoding() {
    test(async |app| {
        app.publish(&Sample::plain("a-b.c_1")).await;
        for code in ["a-b.c_1", "%61-b.c_1", "a%2Db%2Ec%5F1", "a%2db%2ec%5f1", "%61%2d%62%2e%63%5f%31"] {
            assert_eq!(status(app, &format!("/api/v4/widgets/{code}")).await, 200, "{code}");
        }
        // Once, not twice.
        assert_eq!(status(app, "/api/v4/widgets/%2561-b.c_1").await, 404);
    });
}

#[test]
fn what_is_no_code_is_not_found_before_any_sql() {
    test(async |app| {
        app.publish(&Sample::plain("a")).await;
        // From here on every statement that looks for an install fails.
        sqlx::query("ALTER TABLE installs RENAME TO elsewhere").execute(&app.pool).await.unwrap();
        assert_eq!(status(app, "/api/v4/widgets/a").await, 500);
        let too_long = "x".repeat(65);
        for code in [
            &too_long,
            "A",
            "aB",
            "-",
            "-a",
            ".",
            ".a",
            "..",
            "...",
            "%2E",
            "%2e%2e",
            "a%2Fb",
            "a%2fb",
            "%2F",
            "a%5Cb",
            "..%2F..%2Fetc",
            "a%00",
            "%00",
            "a%0A",
            "a%0D%0A",
            "%20a",
            "a%20",
            "a+b",
            "a%2Bb",
            "a%25",
            "a%",
            "a%4",
            "a%zz",
            "%FF",
            "a%FF",
            "a%C3",
            "%C3%A9",
            "%D0%B6",
            "a,b",
            "a;b",
            "a;b=c",
            "a:b",
            "a@b",
            "a~b",
            "a*",
            "a'b",
            "a%27",
            "a%22",
            "a%3Fb",
            "a%23b",
            "%EF%BC%A1",
            "%C5%BF",
        ] {
            assert_eq!(status(app, &format!("/api/v4/widgets/{code}")).await, 404, "{code}");
        }
    });
}

#[test]
fn an_id_is_no_code() {
    test(async |app| {
        let id = app.publish(&Sample::plain("a")).await;
        for path in [format!("/api/v4/widgets/{id}"), format!("/api/v4/widgets/0{id}")] {
            let detail = "Widget isn't found or is unavailable";
            assert_eq!(app.user().get(&path).await.problem(404), detail);
            assert_eq!(app.admin().post(&path, "{}").await.problem(404), detail);
            assert_eq!(app.admin().delete(&path).await.problem(404), detail);
        }
        // A code of digits is one, whatever else has this number.
        let other = app.publish(&Sample::plain(&id.to_string())).await;
        let shown = app.user().get(&format!("/api/v4/widgets/{id}")).await;
        assert_eq!((shown.status, shown.json()["id"].as_i64()), (200, Some(other)), "{shown:?}");
    });
}
