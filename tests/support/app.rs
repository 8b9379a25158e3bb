//! A running service with its own database, started as the program itself does it.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt as _;
use sqlx::PgPool;
use time::{Duration, OffsetDateTime};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use widget_registry::app::App;
use widget_registry::auth::SigningKey;
use widget_registry::config::{Config, InstallMemory, Sources};
use widget_registry::database::{AccountWrites, Pool, Writes};
use widget_registry::installs::counts;
use widget_registry::sealing::Sealing;
use widget_registry::sources::{Clock, Identifiers};
use widget_registry::v4::snapshot::Live;

use super::client::Client;
use super::cluster::Database;
use super::record::{self, randomness};
use super::sample::Sample;
use super::tokens::Claims;

/// What a test wants to be different from the defaults.
#[derive(Default)]
pub struct Setup {
    /// Settings by name, as the configuration file would have them.
    pub settings: Vec<(&'static str, String)>,
    /// The configuration file's further content.
    pub file: String,
    /// Whether nobody else is to change what accounts have installed, as it is with the embedded database.
    pub only_writer: bool,
}

impl Setup {
    pub fn set(mut self, name: &'static str, value: impl std::fmt::Display) -> Self {
        self.settings.push((name, value.to_string()));
        self
    }
}

/// The key that services of tests encrypt with when a test gives no other, the same for a run: 32 bytes in base64.
pub fn encryption_key() -> String {
    static KEY: OnceLock<[u8; 32]> = OnceLock::new();
    let key = KEY.get_or_init(|| {
        let mut key = [0; 32];
        randomness().fill(&mut key).unwrap();
        key
    });
    STANDARD.encode(key)
}

/// A running service.
pub struct TestApp {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    /// The URL of its database, as the service's role.
    pub database_url: String,
    /// The service's database, past the service and as superuser.
    pub pool: PgPool,
    /// The service's own connections.
    pub service: Pool,
    /// Its transactions that change what v4 shows.
    pub writes: Writes,
    /// Its transactions that change what accounts have installed.
    pub install_writes: AccountWrites,
    /// Its catalogue in memory.
    pub catalogue: Arc<Live>,
    /// What seals secrets for it.
    pub sealing: Sealing,
    /// The key that signs its tokens.
    pub key: SigningKey,
    /// Its data directory.
    pub data_dir: tempfile::TempDir,
    /// Seconds by which its clock is ahead of the system's.
    ahead: Arc<AtomicI64>,
    http: reqwest::Client,
}

/// Runs a test against a service with the default settings.
pub fn test(body: impl AsyncFnOnce(&TestApp)) {
    test_with(Setup::default(), body);
}

/// Runs a test against a service with some settings; stops the service and removes the database whatever the outcome.
pub fn test_with(setup: Setup, body: impl AsyncFnOnce(&TestApp)) {
    actix_web::rt::System::new().block_on(async {
        let database = Database::create(true).await;
        let (app, stop, ended) = TestApp::start(&database, setup).await;
        let outcome = AssertUnwindSafe(body(&app)).catch_unwind().await;
        record::note_keys(&app.data_dir.path().join("keys"));
        app.pool.close().await;
        let _ = stop.send(());
        ended.await.unwrap().unwrap();
        database.drop().await;
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Runs a test against two services on one database.
pub fn test_two(body: impl AsyncFnOnce(&TestApp, &TestApp)) {
    test_two_with(Setup::default, body);
}

/// [`test_two`] with some settings of both.
pub fn test_two_with(setup: impl Fn() -> Setup, body: impl AsyncFnOnce(&TestApp, &TestApp)) {
    on_a_database(async |database| two(database, setup, body).await);
}

/// Runs a test against two services on a database that another one has had before. What was left there is handed on.
pub fn test_after<T>(before: impl AsyncFnOnce(&TestApp) -> T, body: impl AsyncFnOnce(&TestApp, &TestApp, T)) {
    on_a_database(async |database| {
        let (app, stop, ended) = TestApp::start(database, Setup::default()).await;
        let left = AssertUnwindSafe(before(&app)).catch_unwind().await;
        app.stop(stop, ended).await;
        let left = left.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        two(database, Setup::default, async |first, second| body(first, second, left).await).await;
    });
}

async fn two(database: &Database, setup: impl Fn() -> Setup, body: impl AsyncFnOnce(&TestApp, &TestApp)) {
    let (first, stop_first, first_ended) = TestApp::start(database, setup()).await;
    let (second, stop_second, second_ended) = TestApp::start(database, setup()).await;
    let outcome = AssertUnwindSafe(body(&first, &second)).catch_unwind().await;
    first.stop(stop_first, first_ended).await;
    second.stop(stop_second, second_ended).await;
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

/// Removes the database whatever the outcome.
fn on_a_database(body: impl AsyncFnOnce(&Database)) {
    actix_web::rt::System::new().block_on(async {
        let database = Database::create(true).await;
        let outcome = AssertUnwindSafe(body(&database)).catch_unwind().await;
        database.drop().await;
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

type Ended = actix_web::rt::task::JoinHandle<Result<(), widget_registry::app::AppError>>;

impl TestApp {
    async fn start(database: &Database, setup: Setup) -> (Self, oneshot::Sender<()>, Ended) {
        let data_dir = tempfile::tempdir().unwrap();
        let config = config(database, data_dir.path(), setup);
        let ahead = Arc::new(AtomicI64::new(0));
        let offset = ahead.clone();
        let now = Clock::system();
        let clock = Clock::new(move || now.now() + Duration::seconds(offset.load(Ordering::Relaxed)));
        let app = App::start(config, clock, Identifiers::random(), randomness())
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        record::note_keys(&data_dir.path().join("keys"));
        let key = SigningKey::load(&data_dir.path().join("keys/signing.pem")).unwrap();
        let (writes, install_writes) = (app.shared.catalogue_writes.clone(), app.shared.install_writes.clone());
        let catalogue = app.catalogue.clone();
        let (service, sealing) = (app.shared.pool.clone(), app.shared.sealing.clone());
        let pool = PgPool::connect_with(database.options()).await.unwrap();
        let url = format!("http://{}", app.address);
        let (stop, stopped) = oneshot::channel();
        let ended = actix_web::rt::spawn(app.run_until(
            async move {
                let _ = stopped.await;
            },
            std::future::pending(),
        ));
        let http = reqwest::Client::builder().http1_only().build().unwrap();
        (
            Self {
                url,
                database_url: database.url(),
                pool,
                service,
                writes,
                install_writes,
                catalogue,
                sealing,
                key,
                data_dir,
                ahead,
                http,
            },
            stop,
            ended,
        )
    }

    async fn stop(self, stop: oneshot::Sender<()>, ended: Ended) {
        self.pool.close().await;
        let _ = stop.send(());
        ended.await.unwrap().unwrap();
    }

    /// Moves the service's clock; what is stored takes the database's time and does not notice.
    pub fn pass(&self, seconds: i64) {
        self.ahead.fetch_add(seconds, Ordering::Relaxed);
    }

    /// The time of the service's clock.
    pub fn now(&self) -> OffsetDateTime {
        Clock::system().now() + Duration::seconds(self.ahead.load(Ordering::Relaxed))
    }

    /// A caller with this token, or none.
    pub fn with_token(&self, token: Option<String>) -> Client {
        Client::new(self.http.clone(), self.url.clone(), token)
    }

    /// A caller with these claims.
    pub fn caller(&self, claims: Claims) -> Client {
        self.with_token(Some(claims.sign(&self.key, self.now())))
    }

    /// The administrator of account 1, user 7, with every scope.
    pub fn admin(&self) -> Client {
        self.caller(Claims::admin(1, 7).scopes(&["publish", "publish:public", "bots"]))
    }

    /// User 8 of account 1.
    pub fn user(&self) -> Client {
        self.caller(Claims::user(1, 8))
    }

    /// Publishes a sample as a public widget of user 7 of account 1; returns its id.
    pub async fn publish(&self, sample: &Sample) -> i64 {
        self.publish_as(&self.admin(), sample, "public").await
    }

    /// Publishes a sample; returns its id.
    pub async fn publish_as(&self, publisher: &Client, sample: &Sample, visibility: &str) -> i64 {
        let query = format!("/registry/v1/widgets?code={}&visibility={visibility}", sample.code);
        let answer = publisher.post_bytes(&query, "application/zip", sample.zip()).await;
        assert!(answer.status == 201 || answer.status == 200, "{answer:?}");
        answer.json()["id"].as_i64().unwrap()
    }

    /// Has the service see what a test changed of the catalogue past it.
    pub async fn reload(&self) {
        self.catalogue.reload().await.unwrap();
    }

    /// Counts every install and uninstall that was answered before.
    pub async fn count_installs(&self) {
        while counts::fold(&self.service).await.unwrap() > 0 {}
    }

    /// Opens a continuation of bot 77 for a published widget; returns its id.
    pub async fn wait_for(&self, code: &str) -> i64 {
        let body = format!(r#"{{"widget_code":"{code}","entity":{{"type":"leads","id":5}},"timeout_seconds":600}}"#);
        let answer = self.admin().post("/registry/v1/salesbot/77/continuations", &body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["continue_id"].as_i64().unwrap()
    }

    /// Sends bytes over a connection of their own and returns everything that comes back until it is closed. The request
    /// must ask for the connection to be closed.
    pub async fn raw(&self, request: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.url.trim_start_matches("http://")).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        // A server that refuses early may reset the connection after its answer.
        let _ = stream.read_to_end(&mut answer).await;
        record::see_bytes(&answer);
        answer
    }
}

fn config(database: &Database, data_dir: &std::path::Path, setup: Setup) -> Config {
    let mut file: toml::Table = setup.file.parse().unwrap();
    for (name, value) in setup.settings {
        match name.strip_prefix("limits.") {
            Some(name) => {
                let limits = file.entry("limits").or_insert_with(|| toml::Table::new().into());
                limits.as_table_mut().unwrap().insert(name.to_owned(), value.into());
            }
            None => {
                file.insert(name.to_owned(), value.into());
            }
        }
    }
    let mut flags = BTreeMap::from([
        ("listen", "127.0.0.1:0".to_owned()),
        ("data_dir", data_dir.to_str().unwrap().to_owned()),
        ("database_url", database.url()),
    ]);
    if !file.contains_key("workers") {
        flags.insert("workers", "1".to_owned());
    }
    if !file.contains_key("encryption_key_dir") {
        flags.insert("encryption_keys", encryption_key());
    }
    let read = Config::read(Sources { flags, environment: BTreeMap::new(), file });
    let mut config = read.config.unwrap_or_else(|error| panic!("{error}"));
    if setup.only_writer {
        config.install_memory = InstallMemory::OnlyWriter;
    }
    config
}
