//! A row of the tables, the service that it is sent to, and what is checked of its answer.

use crate::support::{Answer, Claims, Raw, Sample, Setup, TestApp, secret, test_with};

/// A service with widgets, an install and a waiting bot, so that every bad request has something that it could spoil.
pub struct World<'a> {
    pub app: &'a TestApp,
    admin: String,
    user: String,
    /// The record that waits: bot 77 of account 1.
    pub waiting: i64,
    /// The id of the widget `every`.
    pub widget: i64,
}

impl World<'_> {
    /// A request of the administrator of account 1, with every scope.
    pub fn admin(&self, method: &str, target: impl AsRef<[u8]>) -> Raw {
        Raw::new(method, target).token(&self.admin)
    }

    /// A request of a user of account 1.
    pub fn user(&self, method: &str, target: impl AsRef<[u8]>) -> Raw {
        Raw::new(method, target).token(&self.user)
    }

    /// The path that continues the waiting bot.
    pub fn continue_path(&self) -> String {
        format!("/api/v4/salesbot/77/continue/{}", self.waiting)
    }
}

/// The settings that `every` is installed with: a required field of each type.
pub const SETTINGS: [(&str, &str); 5] = [
    ("text", r#""a text""#),
    ("pass", r#""a secret""#),
    ("users", r#"{"7":"101"}"#),
    ("lp", r#"{"7":{"login":"a","password":"a password"}}"#),
    ("custom", r#"{"a":1}"#),
];

/// Those settings with another value for one key; without the key when the value is empty.
pub fn settings_with(key: &str, value: &str) -> String {
    let member = |(name, lawful): (&str, &str)| {
        let value = if name == key { value } else { lawful };
        let value =
            ["a secret", "a password"].iter().fold(value.to_owned(), |value, word| value.replace(word, &secret(word)));
        (!value.is_empty()).then(|| format!("\"{name}\":{value}"))
    };
    let members: Vec<String> = SETTINGS.into_iter().filter_map(member).collect();
    format!("{{{}}}", members.join(","))
}

/// One bad request and its answer.
pub struct Row {
    name: String,
    request: Raw,
    status: u16,
    /// What the body must say.
    says: String,
    /// What the validation errors must be, all of them in their order; `None` where the answer is another kind of problem.
    violations: Option<Vec<String>>,
}

/// A request that is refused with this status; `says` is a part of the answer's detail.
pub fn refused(name: impl Into<String>, request: Raw, status: u16, says: impl Into<String>) -> Row {
    Row { name: name.into(), request, status, says: says.into(), violations: None }
}

/// A request whose values break rules: `code path` of each violation.
pub fn invalid(name: impl Into<String>, request: Raw, violations: &[&str]) -> Row {
    let violations = violations.iter().map(|violation| (*violation).to_owned()).collect();
    Row { violations: Some(violations), ..refused(name, request, 400, "Request validation failed") }
}

/// Sends every row and checks its answer, and that the database is as before.
pub fn check(least: usize, rows: impl FnOnce(&World<'_>) -> Vec<Row>) {
    check_with(Setup::default(), least, rows);
}

/// [`check`] with some settings.
pub fn check_with(setup: Setup, least: usize, rows: impl FnOnce(&World<'_>) -> Vec<Row>) {
    test_with(setup, async |app| {
        let world = world(app).await;
        let rows = rows(&world);
        assert!(rows.len() >= least, "{} rows, {least} are expected", rows.len());
        let before = app.contents().await;
        let mut faults = Vec::new();
        for row in rows {
            let answer = app.ask(&row.request).await;
            faults.extend(
                fault(&row, &answer).map(|why| format!("{}: {why}\n{:?}\n{answer:?}\n", row.name, row.request)),
            );
            if app.contents().await != before {
                faults.push(format!("{}: changed the database", row.name));
                break;
            }
        }
        assert!(faults.is_empty(), "{} rows fail:\n{}", faults.len(), faults.join("\n"));
        let alive = app.ask(&Raw::get("/registry/v1/health/ready")).await;
        assert_eq!(alive.status, 200, "{alive:?}");
    });
}

/// What is wrong with an answer.
fn fault(row: &Row, answer: &Answer) -> Option<String> {
    if answer.status != row.status {
        return Some(format!("{} instead of {}", answer.status, row.status));
    }
    if answer.header("content-type") != "application/problem+json" {
        return Some("is no problem".to_owned());
    }
    let detail = answer.problem(row.status);
    if !detail.contains(&row.says) {
        return Some(format!("says `{detail}` and not `{}`", row.says));
    }
    let violations = row.violations.as_ref()?;
    let given = answer.violations();
    (given != *violations).then(|| format!("{given:?} instead of {violations:?}"))
}

async fn world(app: &TestApp) -> World<'_> {
    let claims = Claims::admin(1, 7).scopes(&["publish", "publish:public", "bots"]);
    let kinds = ["text", "pass", "users", "users_lp", "custom"];
    let fields: Vec<_> = SETTINGS.into_iter().zip(kinds).map(|((key, _), kind)| (key, key, kind, true)).collect();
    let widget = app.publish(&Sample::new("every", "1.0.0", &fields).location("lead_sources")).await;
    app.publish(&Sample::plain("plain")).await;
    app.publish(&Sample::plain("absent")).await;
    for (code, settings) in [("every", settings_with("", "")), ("plain", "{}".to_owned())] {
        let answer = app.admin().post(&format!("/api/v4/widgets/{code}"), &settings).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let waiting = app.wait_for("every").await;
    let (admin, user) = (claims.sign(&app.key, app.now()), Claims::user(1, 8).sign(&app.key, app.now()));
    World { app, admin, user, waiting, widget }
}
