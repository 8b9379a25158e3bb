//! Section 2 of the contract: the widget as every method shows it.

use serde_json::{Value, json};

use super::{OWN, publish_with};
use crate::support::{Claims, Sample, Setup, TestApp, secret, test, test_with};

/// A widget of the list, by its code.
async fn listed(app: &TestApp, claims: Claims, code: &str) -> Value {
    let page = app.caller(claims).get("/api/v4/widgets").await.json();
    let widgets = page["_embedded"]["widgets"].as_array().unwrap();
    widgets.iter().find(|widget| widget["code"] == code).unwrap().clone()
}

#[test]
fn every_key_is_there_in_the_source_s_order() {
    test(async |app| {
        let fields = [
            ("zone", "Zone", "text", true),
            ("b", "Secret", "pass", true),
            ("10", "Ten", "custom", false),
            ("a", "Phones", "users", false),
            ("9", "Logins", "users_lp", true),
        ];
        let sample = Sample::new("all", "2.0.10", &fields).location("lead_sources").location("digital_pipeline");
        let query = format!("visibility=public&client_uuid={OWN}&is_crm_template=true");
        let id = publish_with(&app.admin(), &sample, &query).await;
        sqlx::query("UPDATE widgets SET rating_tenths = 41").execute(&app.pool).await.unwrap();
        app.reload().await;
        let model = |active: bool, pipeline: &str, settings: &str| {
            format!(
                concat!(
                    r#"{{"id":{id},"code":"all","version":"2.0.10","rating":"4,1","settings_template":["#,
                    r#"{{"key":"zone","name":"Zone","type":"text","is_required":true}},"#,
                    r#"{{"key":"b","name":"Secret","type":"pass","is_required":true}},"#,
                    r#"{{"key":"10","name":"Ten","type":"custom","is_required":false}},"#,
                    r#"{{"key":"a","name":"Phones","type":"users","is_required":false}},"#,
                    r#"{{"key":"9","name":"Logins","type":"users_lp","is_required":true}}],"#,
                    r#""is_lead_source":true,"is_work_with_dp":true,"is_crm_template":true,"#,
                    r#""client_uuid":"{own}","is_active_in_account":{active},"pipeline_id":{pipeline},{settings}"#,
                    r#""_links":{{"self":{{"href":"{url}/api/v4/widgets/all"}}}}}}"#,
                ),
                id = id,
                own = OWN,
                active = active,
                pipeline = pipeline,
                settings = settings,
                url = app.url
            )
        };
        assert_eq!(app.user().get("/api/v4/widgets/all").await.text(), model(false, "null", ""));

        let (hush, login, password) = (secret("hush"), secret("l"), secret("p"));
        let logins = format!(r#"{{"7":{{"login":"{login}","password":"{password}"}}}}"#);
        let settings = format!(r#"{{"zone":"eu","b":"{hush}","10":[1.0],"9":{logins}}}"#);
        let shown = format!(r#""settings":{settings},"#);
        let installed = app.admin().post("/api/v4/widgets/all", &settings).await;
        assert_eq!(installed.text(), model(true, "null", &shown));
        let answer = app.admin().put("/registry/v1/installs/all/lead-source", r#"{"pipeline_id":31}"#).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(app.user().get("/api/v4/widgets/all").await.text(), model(true, "31", ""));
        let own = app.caller(Claims::user(1, 8).client(OWN)).get("/api/v4/widgets/all").await;
        assert_eq!(own.text(), model(true, "31", &shown));
        let list = app.user().get("/api/v4/widgets").await;
        let widgets = format!(r#""_embedded":{{"widgets":[{}]}}}}"#, model(true, "31", ""));
        assert!(list.text().ends_with(&widgets), "{list:?}");
    });
}

#[test]
fn a_widget_without_anything_still_has_every_key() {
    test(async |app| {
        let id = app.publish(&Sample::plain("bare")).await;
        let model = format!(
            concat!(
                r#"{{"id":{id},"code":"bare","version":"1.0.0","rating":"0","settings_template":[],"#,
                r#""is_lead_source":false,"is_work_with_dp":false,"is_crm_template":false,"client_uuid":null,"#,
                r#""is_active_in_account":false,"pipeline_id":null,"#,
                r#""_links":{{"self":{{"href":"{url}/api/v4/widgets/bare"}}}}}}"#,
            ),
            id = id,
            url = app.url
        );
        assert!(id > 0);
        assert_eq!(app.user().get("/api/v4/widgets/bare").await.text(), model);
    });
}

#[test]
fn a_rating_is_a_string_with_a_comma() {
    test(async |app| {
        app.publish(&Sample::plain("a")).await;
        for (tenths, rating) in
            [(0, "0"), (1, "0,1"), (9, "0,9"), (10, "1,0"), (28, "2,8"), (34, "3,4"), (49, "4,9"), (50, "5,0")]
        {
            let update = sqlx::query("UPDATE widgets SET rating_tenths = $1").bind(tenths);
            assert_eq!(update.execute(&app.pool).await.unwrap().rows_affected(), 1);
            app.reload().await;
            assert_eq!(app.user().get("/api/v4/widgets/a").await.json()["rating"], rating);
            assert_eq!(listed(app, Claims::user(1, 8), "a").await["rating"], rating);
            assert_eq!(app.admin().post("/api/v4/widgets/a", "{}").await.json()["rating"], rating);
        }
    });
}

#[test]
fn version_and_template_are_those_of_the_current_version() {
    test(async |app| {
        let first = Sample::new("a", "1.9.0", &[("old", "Old", "text", true)]);
        let second = Sample::new("a", "1.10.0", &[("new", "New", "pass", false)]);
        let id = app.publish(&first).await;
        assert_eq!(app.publish(&second).await, id);
        let shown = app.user().get("/api/v4/widgets/a").await.json();
        assert_eq!((&shown["id"], &shown["version"]), (&json!(id), &json!("1.10.0")));
        let template = json!([{"key": "new", "name": "New", "type": "pass", "is_required": false}]);
        assert_eq!(shown["settings_template"], template);
    });
}

/// A widget in English, Russian, Spanish of Spain and Portuguese of Brazil, in this order.
fn polyglot() -> Sample {
    Sample::new("polyglot", "1.0.0", &[("field", "in English", "custom", false)])
        .language("ru", &[("field", "по-русски")])
        .language("es_ES", &[("field", "en español")])
        .language("pt_BR", &[("field", "em português")])
}

/// The name of the widget's first field for a caller of these languages.
async fn name(app: &TestApp, code: &str, languages: Option<&str>) -> String {
    let client = app.user();
    let mut request = client.request("GET", &format!("/api/v4/widgets/{code}"));
    if let Some(languages) = languages {
        request = request.header("accept-language", languages);
    }
    let shown = client.send(request).await.json();
    shown["settings_template"][0]["name"].as_str().unwrap().to_owned()
}

#[test]
fn names_are_in_the_caller_s_language() {
    test(async |app| {
        app.publish(&polyglot()).await;
        for (languages, expected) in [
            ("en", "in English"),
            ("ru", "по-русски"),
            ("RU", "по-русски"),
            ("ru-RU", "по-русски"),
            ("en-US", "in English"),
            ("es", "en español"),
            ("es-ES", "en español"),
            ("es-MX", "en español"),
            ("pt-br", "em português"),
            // By weight, and where it is the same by place.
            ("en;q=0.5, ru;q=0.9", "по-русски"),
            ("en;q=0.5,ru;q=0.501,es;q=0.6", "en español"),
            ("en;q=0.8, ru", "по-русски"),
            ("ru, en", "по-русски"),
            ("en, ru", "in English"),
            ("en-GB , ru ; q=0.7", "in English"),
            ("en;Q=0.5, ru;Q=0.9", "по-русски"),
            // What the widget does not speak is passed over, and so is what the caller refuses.
            ("fr, ru;q=0.1", "по-русски"),
            ("fr-FR,fr;q=0.9,ru;q=0.8,*;q=0.5", "по-русски"),
            ("es;q=0, ru;q=0.1", "по-русски"),
            ("es;q=0.000, pt;q=0.001", "em português"),
            // Any language will do: the default one.
            ("*", "in English"),
            ("*, ru;q=0.1", "по-русски"),
            ("fr", "in English"),
            ("", "in English"),
            (";;,=q, ru;q=much", "in English"),
        ] {
            assert_eq!(name(app, "polyglot", Some(languages)).await, expected, "{languages}");
        }
        assert_eq!(name(app, "polyglot", None).await, "in English");
    });
}

#[test]
fn languages_may_stand_in_several_lines() {
    test(async |app| {
        app.publish(&polyglot()).await;
        let client = app.user();
        let request = client.request("GET", "/api/v4/widgets/polyglot");
        let request = request.header("accept-language", "en;q=0.3").header("accept-language", "ru;q=0.6");
        let shown = client.send(request).await.json();
        assert_eq!(shown["settings_template"][0]["name"], "по-русски");
    });
}

#[test]
fn every_method_speaks_the_caller_s_language() {
    test(async |app| {
        app.publish(&polyglot()).await;
        let (admin, body) = (app.admin(), "{}");
        for (method, path, template) in [
            ("GET", "/api/v4/widgets", "/_embedded/widgets/0/settings_template/0/name"),
            ("GET", "/api/v4/widgets/polyglot", "/settings_template/0/name"),
            ("POST", "/api/v4/widgets/polyglot", "/settings_template/0/name"),
        ] {
            let request = admin.request(method, path).header("accept-language", "ru").body(body);
            let answer = admin.send(request).await;
            assert_eq!(answer.json().pointer(template), Some(&json!("по-русски")), "{answer:?}");
        }
    });
}

#[test]
fn without_the_caller_s_language_the_default_one_counts() {
    test_with(Setup::default().set("default_locale", "ru"), async |app| {
        app.publish(&polyglot()).await;
        for languages in [None, Some("*"), Some("fr"), Some("fr, *;q=0.5")] {
            assert_eq!(name(app, "polyglot", languages).await, "по-русски", "{languages:?}");
        }
        assert_eq!(name(app, "polyglot", Some("en")).await, "in English");
    });
}

#[test]
fn without_the_default_language_the_widget_s_first_one_counts() {
    test_with(Setup::default().set("default_locale", "fr"), async |app| {
        let mut sample = polyglot();
        sample.manifest["widget"]["locale"] = json!(["es_ES", "ru", "en", "pt_BR"]);
        app.publish(&sample).await;
        for languages in [None, Some("*"), Some("fr"), Some("de-AT, tr;q=0.5")] {
            assert_eq!(name(app, "polyglot", languages).await, "en español", "{languages:?}");
        }
    });
}

#[test]
fn without_any_text_the_key_itself_is_shown() {
    test(async |app| {
        let mut sample = polyglot();
        for (_, texts) in &mut sample.i18n {
            texts["settings"].as_object_mut().unwrap().remove("field");
        }
        app.publish(&sample).await;
        for languages in [None, Some("en"), Some("ru")] {
            assert_eq!(name(app, "polyglot", languages).await, "settings.field");
        }

        // A key with a text in one language only shows that one.
        let mut sample = Sample::new("partial", "1.0.0", &[("field", "in English", "text", false)]);
        sample = sample.language("ru", &[("field", "по-русски")]);
        sample.i18n[0].1["settings"].as_object_mut().unwrap().remove("field");
        app.publish(&sample).await;
        for languages in [None, Some("en"), Some("fr")] {
            assert_eq!(name(app, "partial", languages).await, "по-русски");
        }
    });
}

#[test]
fn an_install_without_settings_has_an_empty_object() {
    test(async |app| {
        let query = format!("visibility=public&client_uuid={OWN}");
        publish_with(&app.admin(), &Sample::plain("bare"), &query).await;
        let optional = Sample::new("optional", "1.0.0", &[("a", "A", "text", false), ("b", "B", "users", false)]);
        publish_with(&app.admin(), &optional, &query).await;
        let own = app.caller(Claims::user(1, 8).client(OWN));
        for code in ["bare", "optional"] {
            let path = format!("/api/v4/widgets/{code}");
            for body in ["{}", "[]", ""] {
                let installed = app.admin().post(&path, body).await;
                let settings = r#""pipeline_id":null,"settings":{},"_links":"#;
                assert!(installed.status == 200 && installed.text().contains(settings), "{body}: {installed:?}");
                let shown = own.get(&path).await;
                assert!(shown.status == 200 && shown.text().contains(settings), "{body}: {shown:?}");
                assert_eq!(app.admin().delete(&path).await.status, 204);
            }
        }
    });
}

#[test]
fn a_pipeline_is_shown_where_it_is_set_until_it_is_cleared() {
    test(async |app| {
        app.publish(&Sample::plain("a").location("lead_sources")).await;
        let path = "/api/v4/widgets/a";
        for account in [1, 2] {
            assert_eq!(app.caller(Claims::admin(account, 7)).post(path, "{}").await.json()["pipeline_id"], Value::Null);
        }
        for (body, pipeline) in [
            (r#"{"pipeline_id":9007199254740993}"#, "9007199254740993"),
            (r#"{"pipeline_id":5}"#, "5"),
            (r#"{"pipeline_id":null}"#, "null"),
        ] {
            let answer = app.admin().put("/registry/v1/installs/a/lead-source", body).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let expected = format!(r#""is_active_in_account":true,"pipeline_id":{pipeline},"#);
            for answer in [
                app.user().get(path).await,
                app.user().get("/api/v4/widgets").await,
                // Installing again replaces the settings and nothing else.
                app.admin().post(path, "{}").await,
            ] {
                assert!(answer.text().contains(&expected), "{pipeline}: {answer:?}");
            }
            let other = app.caller(Claims::user(2, 8)).get(path).await.json();
            assert_eq!((&other["is_active_in_account"], &other["pipeline_id"]), (&json!(true), &Value::Null));
        }
    });
}

#[test]
fn a_widget_is_active_only_where_it_is_installed() {
    test(async |app| {
        app.publish(&Sample::plain("a")).await;
        assert_eq!(app.admin().post("/api/v4/widgets/a", "{}").await.json()["is_active_in_account"], true);
        for (account, active) in [(1, true), (2, false)] {
            let claims = Claims::user(account, 8);
            assert_eq!(
                app.caller(claims.clone()).get("/api/v4/widgets/a").await.json()["is_active_in_account"],
                active
            );
            assert_eq!(listed(app, claims, "a").await["is_active_in_account"], active);
        }
    });
}
