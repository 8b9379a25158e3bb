//! How the catalogue grows: the time of searching, listing and publishing with 1,000 widgets and with 100,000, side by side.
//!
//! `cargo bench --bench catalogue` starts two services, each with an embedded PostgreSQL of its own in a temporary folder, fills them,
//! and measures over HTTP, turn by turn, so that whatever else the machine does meets both. Numbers after `--` are other sizes, and the
//! turns: `cargo bench --bench catalogue -- 1000 20000 30`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use actix_web::rt::task::JoinHandle;
use anyhow::{Context as _, ensure};
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use tokio::sync::oneshot;
use widget_registry::app::{App, AppError};
use widget_registry::archive;
use widget_registry::auth::{AccountId, Issue, Role, Scope, UserId};
use widget_registry::config::{Config, Sources};
use widget_registry::sources::{Clock, Identifiers, Secrets};

/// Inserts widgets of the numbers from `$1` to `$2`.
const FILL: &str = include_str!("fill.sql");
/// Widgets that one statement inserts.
const CHUNK: i64 = 1_000;
/// Widgets that the measuring account has installed.
const INSTALLS: i64 = 20;
/// What the service may take with the larger catalogue, as a multiple of the smaller.
const MOST: f64 = 2.0;

/// What is asked for, and its name in the table.
const QUESTIONS: [(&str, &str); 14] = [
    ("search: a word that all have", "/registry/v1/widgets?q=widget"),
    ("search: a word that 5 % have", "/registry/v1/widgets?q=branch3"),
    ("search: a word that 2 % have", "/registry/v1/widgets?q=%D1%81%D0%BB%D0%BE%D0%B2%D0%BE7"),
    ("search: a word that few have", "/registry/v1/widgets?q=number777"),
    ("search: a word that none has", "/registry/v1/widgets?q=nothing"),
    ("search by name: two words", "/registry/v1/widgets?q=branch3+telephony&sort=name"),
    ("filters: 5 % have both", "/registry/v1/widgets?dp=true&setting_type=pass&sort=rating"),
    ("list: newest", "/registry/v1/widgets"),
    ("list: by name", "/registry/v1/widgets?sort=name"),
    ("list: by rating", "/registry/v1/widgets?sort=rating"),
    ("list: by installs", "/registry/v1/widgets?sort=installs"),
    ("list: installed", "/registry/v1/widgets?installed=true"),
    ("one widget", "/registry/v1/widgets/bench_501"),
    ("v4: list, page 1", "/api/v4/widgets"),
];

/// Lists whose middle is measured too.
const DEEP: [(&str, &str); 5] = [
    ("half-way: newest", "/registry/v1/widgets?limit=50"),
    ("half-way: by name", "/registry/v1/widgets?limit=50&sort=name"),
    ("half-way: by rating", "/registry/v1/widgets?limit=50&sort=rating"),
    ("half-way: by installs", "/registry/v1/widgets?limit=50&sort=installs"),
    ("half-way: a word that all have", "/registry/v1/widgets?limit=50&q=widget"),
];

/// A running service with its widgets.
struct Service {
    size: i64,
    url: String,
    token: String,
    client: reqwest::Client,
    published: u32,
    stop: Option<oneshot::Sender<()>>,
    ended: Option<JoinHandle<Result<(), AppError>>>,
}

fn main() -> anyhow::Result<()> {
    // `cargo bench` adds a flag of its own.
    let numbers: Vec<i64> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let (small, large, turns) = match numbers.as_slice() {
        [small, large, turns] => (*small, *large, u32::try_from(*turns)?),
        [] => (1_000, 100_000, 60),
        _ => anyhow::bail!("three numbers are wanted: the smaller size, the larger size, and the turns"),
    };
    ensure!(small >= 1_000 && large >= small && turns > 0, "the smaller size is at least 1,000");
    let folder = tempfile::Builder::new().prefix("widget-registry-bench-").tempdir()?;
    // The embedded database runs as another user when this one is root, and has to get in.
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    actix_web::rt::System::new().block_on(async {
        let mut small = Service::start(&folder.path().join("small"), small).await?;
        let mut large = Service::start(&folder.path().join("large"), large).await?;
        let outcome = compare(&mut small, &mut large, turns).await;
        small.end().await?;
        large.end().await?;
        outcome
    })
}

async fn compare(small: &mut Service, large: &mut Service, turns: u32) -> anyhow::Result<()> {
    let mut questions: Vec<(&str, String, String)> =
        QUESTIONS.iter().map(|(name, path)| (*name, (*path).to_owned(), (*path).to_owned())).collect();
    for (name, path) in DEEP {
        questions.push((name, small.half_way(path).await?, large.half_way(path).await?));
    }
    let mut times: BTreeMap<usize, [Vec<Duration>; 2]> = BTreeMap::new();
    for turn in 0..=turns {
        for (number, (_, of_small, of_large)) in questions.iter().enumerate() {
            let pair = [small.get(of_small).await?.1, large.get(of_large).await?.1];
            note(&mut times, number, turn, pair);
        }
        let pair = [small.publish().await?, large.publish().await?];
        note(&mut times, questions.len(), turn, pair);
    }
    let names = questions.iter().map(|(name, _, _)| *name).chain(["publish a widget"]);
    report(names, &times, small.size, large.size)
}

/// The first turn warms up and does not count.
fn note(times: &mut BTreeMap<usize, [Vec<Duration>; 2]>, question: usize, turn: u32, pair: [Duration; 2]) {
    if turn > 0 {
        let lists = times.entry(question).or_default();
        lists.iter_mut().zip(pair).for_each(|(list, time)| list.push(time));
    }
}

#[expect(clippy::print_stdout, reason = "the table is what this program is for")]
fn report<'a>(
    names: impl Iterator<Item = &'a str>,
    times: &BTreeMap<usize, [Vec<Duration>; 2]>,
    small: i64,
    large: i64,
) -> anyhow::Result<()> {
    println!("\n| median, ms | {small} widgets | {large} widgets | ratio |\n| --- | --- | --- | --- |");
    let mut slow = Vec::new();
    for (name, pair) in names.zip(times.values()) {
        let [small, large] = pair.each_ref().map(|times| median(times) * 1_000.0);
        let ratio = large / small;
        println!("| {name} | {small:.2} | {large:.2} | {ratio:.2} |");
        if ratio > MOST {
            slow.push(name);
        }
    }
    ensure!(slow.is_empty(), "more than {MOST} times as slow: {}", slow.join(", "));
    Ok(())
}

/// Seconds.
fn median(times: &[Duration]) -> f64 {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, Duration::as_secs_f64)
}

impl Service {
    async fn start(data_dir: &Path, size: i64) -> anyhow::Result<Self> {
        let socket = data_dir.join("socket");
        let data_dir = data_dir.to_str().context("the temporary folder has no readable name")?.to_owned();
        let flags =
            BTreeMap::from([("listen", "127.0.0.1:0".to_owned()), ("data_dir", data_dir), ("workers", "1".to_owned())]);
        let sources = Sources { flags, environment: BTreeMap::new(), file: toml::Table::new() };
        let app = App::start(Config::read(sources).config?, Clock::system(), Identifiers::random(), Secrets::random())
            .await?;
        let issue = Issue {
            account: AccountId::new(5_000_000).context("an account")?,
            user: UserId::new(7).context("a user")?,
            role: Role::Admin,
            client: None,
            scopes: vec![Scope::Publish, Scope::PublishPublic],
            lifetime: Duration::from_hours(12),
        };
        let token = app.shared.keyring.keys().signing.issue(
            &app.shared.config.issuer,
            &issue,
            &Clock::system(),
            &Identifiers::random(),
        )?;
        fill(&socket, size).await?;
        // The service does not know what comes into its database past it.
        app.catalogue.reload().await?;
        let url = format!("http://{}", app.address);
        let (stop, stopped) = oneshot::channel();
        let asked = async move {
            let _ = stopped.await;
        };
        let ended = Some(actix_web::rt::spawn(app.run_until(asked, std::future::pending())));
        Ok(Self { size, url, token, client: reqwest::Client::new(), published: 0, stop: Some(stop), ended })
    }

    async fn end(&mut self) -> anyhow::Result<()> {
        self.stop.take();
        if let Some(ended) = self.ended.take() {
            ended.await??;
        }
        Ok(())
    }

    async fn get(&self, path: &str) -> anyhow::Result<(Value, Duration)> {
        let request = self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.token);
        let begun = Instant::now();
        let answer = request.send().await?.error_for_status()?.bytes().await?;
        let time = begun.elapsed();
        Ok((serde_json::from_slice(&answer)?, time))
    }

    /// The page in the middle of a list.
    async fn half_way(&self, path: &str) -> anyhow::Result<String> {
        let mut next = path.replace("limit=50", "limit=250");
        // Nine of ten are public.
        for _ in 0..self.size * 9 / 10 / 2 / 250 {
            let page = self.get(&next).await?.0;
            let href =
                page.pointer("/_links/next/href").and_then(Value::as_str).context("the list ends before its middle")?;
            href.strip_prefix(&self.url).context("a link leads elsewhere")?.clone_into(&mut next);
        }
        Ok(next.replace("limit=250", "limit=50"))
    }

    /// Publishes a new widget.
    async fn publish(&mut self) -> anyhow::Result<Duration> {
        self.published += 1;
        let archive = archive::pack(&widget(self.published))?;
        let url = format!("{}/registry/v1/widgets?code=new_{}&visibility=public", self.url, self.published);
        let request = self.client.post(url).bearer_auth(&self.token).header("content-type", "application/zip");
        let request = request.body(archive);
        let begun = Instant::now();
        let answer = request.send().await?;
        let time = begun.elapsed();
        ensure!(answer.status() == 201, "publishing answers {}", answer.status());
        Ok(time)
    }
}

/// Fills the database, past the service and as its superuser.
async fn fill(socket: &Path, size: i64) -> anyhow::Result<()> {
    let superuser = PgConnectOptions::new_without_pgpass().socket(socket).username("postgres").database("postgres");
    let mut connection = PgConnection::connect_with(&superuser).await?;
    for first in (0..size).step_by(usize::try_from(CHUNK)?) {
        sqlx::query(FILL).bind(first + 1).bind((first + CHUNK).min(size)).execute(&mut connection).await?;
    }
    let install = "INSERT INTO installs (account_id, widget_id, settings, sealed, installed_by_user_id) \
                   SELECT 5000000, id, '{}', 0, 7 FROM widgets ORDER BY id LIMIT $1";
    sqlx::query(install).bind(INSTALLS).execute(&mut connection).await?;
    // What the database does by itself in its own time.
    sqlx::query("VACUUM ANALYZE").execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// The files of a small widget that differs from all others.
fn widget(number: u32) -> Vec<(String, Vec<u8>)> {
    let manifest = format!(
        r#"{{"widget":{{"name":"widget.name","description":"widget.description","short_description":"widget.short_description",
        "version":"1.0.{number}","interface_version":2,"init_once":false,"installation":true,"locale":["en"]}},
        "locations":["settings","lcard-1"],"settings":{{"login":{{"name":"settings.login","type":"text","required":true}}}}}}"#
    );
    let texts = format!(
        r#"{{"widget":{{"name":"New number{number}","description":"A widget that is published while others are searched for",
        "short_description":"A new widget"}},"settings":{{"login":"Login"}}}}"#
    );
    let script = format!("define([], function () {{ return function () {{ return {number}; }}; }});\n");
    vec![
        ("manifest.json".to_owned(), manifest.into_bytes()),
        ("script.js".to_owned(), script.into_bytes()),
        ("i18n/en.json".to_owned(), texts.into_bytes()),
    ]
}
