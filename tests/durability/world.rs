//! Servers, their database, and what lies between.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use widget_registry::archive;
use widget_registry::auth::{AccountId, Issue, Role, SigningKey, UserId};
use widget_registry::data_dir::DataDir;
use widget_registry::database::embedded::{self, Cluster, Durability, Options, SERVICE_ROLE};
use widget_registry::sources::{Clock, Identifiers};

use crate::book::Book;
use crate::call::{Caller, Reply};
use crate::postgres::Postgres;
use crate::proxy::Proxy;
use crate::server::Server;

/// Connections that the database of several servers accepts.
const MAX_CONNECTIONS: u32 = 60;

/// Everything that can break.
pub struct World {
    pub book: Arc<Book>,
    pub servers: Vec<Server>,
    pub postgres: Postgres,
    /// Between the servers and their database, when it is not embedded.
    pub proxy: Option<Proxy>,
    /// One for each server.
    pub callers: Vec<Caller>,
    keeper: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
    _folder: TempDir,
}

/// A folder that PostgreSQL's user can enter.
fn folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("durability-").tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    folder
}

/// What both servers encrypt with: 32 bytes in base64.
const ENCRYPTION_KEY: &str = "dGhlIGtleS1lbmNyeXB0aW9uIGtleSBvZiB0ZXN0cyE=";

impl World {
    /// One server with its embedded database.
    pub async fn embedded(binary: &Path) -> Self {
        let folder = folder();
        let mut server = Server::new(binary, folder.path(), "one", Vec::new());
        server.start().await;
        let data_dir = DataDir::peek(server.data_dir()).unwrap();
        let postgres = Postgres { cluster_dir: data_dir.cluster_dir(), socket_dir: data_dir.socket_dir() };
        Self::of(folder, vec![server], postgres, None, None).await
    }

    /// Two servers with one database, which they reach through a proxy.
    pub async fn shared(binary: &Path) -> Self {
        let folder = folder();
        let options = Options {
            cluster_dir: folder.path().join("postgres"),
            socket_dir: folder.path().join("socket"),
            bin_dir: None,
            durability: Durability::Durable,
            max_connections: MAX_CONNECTIONS,
            log: folder.path().join("postgres.log"),
        };
        let postgres = Postgres { cluster_dir: options.cluster_dir.clone(), socket_dir: options.socket_dir.clone() };
        let cluster = Cluster::start(options).await.unwrap_or_else(|error| panic!("{error}"));
        embedded::make_service_role(&cluster.connect_options()).await.unwrap();
        let (stop, stopped) = oneshot::channel();
        let keeper = (stop, tokio::spawn(keep(cluster, stopped)));
        let proxy = Proxy::start(&postgres.socket_dir).await;
        let url = |role: &str| format!("postgres://{role}@127.0.0.1:{}/postgres?sslmode=disable", proxy.port);
        let mut servers = Vec::new();
        for name in ["one", "two"] {
            let key = folder.path().join("one/keys/signing.pem").to_str().unwrap().to_owned();
            let mut environment = vec![
                ("WIDGET_REGISTRY_DATABASE_URL", url(SERVICE_ROLE)),
                ("WIDGET_REGISTRY_DATABASE_MIGRATION_URL", url("postgres")),
                ("WIDGET_REGISTRY_ENCRYPTION_KEYS", ENCRYPTION_KEY.to_owned()),
            ];
            if !servers.is_empty() {
                environment.push(("WIDGET_REGISTRY_SIGNING_KEY", key));
            }
            let mut server = Server::new(binary, folder.path(), name, environment);
            server.start().await;
            servers.push(server);
        }
        Self::of(folder, servers, postgres, Some(proxy), Some(keeper)).await
    }

    async fn of(
        folder: TempDir,
        servers: Vec<Server>,
        postgres: Postgres,
        proxy: Option<Proxy>,
        keeper: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
    ) -> Self {
        let book = Arc::new(Book::new());
        let token = token(servers[0].data_dir());
        let caller = |(at, server): (usize, &Server)| Caller::new(book.clone(), at, server.url(), token.clone());
        let callers: Vec<_> = servers.iter().enumerate().map(caller).collect();
        prepare(&callers[0]).await;
        Self { book, servers, postgres, proxy, callers, keeper, _folder: folder }
    }

    /// Waits until every server answers and reaches its database. One that has ended by itself is started again.
    pub async fn heal(&mut self) {
        for (server, caller) in self.servers.iter_mut().zip(&self.callers) {
            loop {
                if server.has_ended() {
                    self.book.count("servers that ended by themselves");
                    server.kill().await;
                    server.start().await;
                }
                if matches!(caller.get("/registry/v1/health/ready").await, Reply::Answer(200, _)) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// Waits until no delivery is on its way any more; returns how many were given up.
    pub async fn drain(&self) -> i64 {
        let mut connection = self.observe().await;
        loop {
            let statement = "SELECT count(*) FILTER (WHERE state IN ('ready', 'leased')), \
                             count(*) FILTER (WHERE state = 'dead') FROM deliveries";
            let (open, dead): (i64, i64) = sqlx::query_as(statement).fetch_one(&mut connection).await.unwrap();
            if open == 0 {
                connection.close().await.unwrap();
                return dead;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// The records that count as continued.
    pub async fn continued(&self) -> Vec<i64> {
        let mut connection = self.observe().await;
        let statement = "SELECT id FROM continuations WHERE state = 'continued' ORDER BY id";
        let found = sqlx::query_scalar(statement).fetch_all(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        found
    }

    /// A connection past servers and proxy.
    async fn observe(&self) -> PgConnection {
        let options = PgConnectOptions::new_without_pgpass().host("localhost").socket(&self.postgres.socket_dir);
        let options = options.port(5432).username("postgres").password("").database("postgres");
        options.ssl_mode(PgSslMode::Disable).connect().await.unwrap()
    }

    /// Ends everything in order; whether every server ended with exit code 0.
    pub async fn end(mut self) -> bool {
        let mut well = true;
        for server in &mut self.servers {
            well &= server.terminate().await.success();
        }
        if let Some((stop, keeper)) = self.keeper.take() {
            let _ = stop.send(());
            keeper.await.unwrap();
        }
        well
    }
}

/// Starts the database again whenever it has ended.
async fn keep(mut cluster: Cluster, mut stop: oneshot::Receiver<()>) {
    loop {
        tokio::select! {
            _ = &mut stop => {
                cluster.stop().await.unwrap();
                return;
            }
            _ = cluster.exited() => {}
        }
        while cluster.restart().await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// A token for everything, signed with the server's own key.
fn token(data_dir: &Path) -> String {
    let key = SigningKey::load(&data_dir.join("keys/signing.pem")).unwrap();
    let issue = Issue {
        account: AccountId::new(1).unwrap(),
        user: UserId::new(7).unwrap(),
        role: Role::Admin,
        client: None,
        scopes: ["publish", "publish:public", "bots"].iter().map(|scope| scope.parse().unwrap()).collect(),
        lifetime: Duration::from_hours(24),
    };
    key.issue("widget-registry", &issue, &Clock::system(), &Identifiers::random()).unwrap()
}

/// Publishes a widget and makes a webhook secret.
async fn prepare(caller: &Caller) {
    let texts = json!({"widget": {"name": "Bot", "description": "Continues bots", "short_description": "For bots"}});
    let manifest = json!({
        "widget": {
            "name": "widget.name", "description": "widget.description", "short_description": "widget.short_description",
            "version": "1.0.0", "interface_version": 2, "init_once": false, "installation": true, "locale": ["en"],
        },
        "locations": ["settings"], "settings": {},
    });
    let files = [
        ("manifest.json".to_owned(), manifest.to_string().into_bytes()),
        ("script.js".to_owned(), b"define([], function () { return function () {}; });\n".to_vec()),
        ("i18n/en.json".to_owned(), texts.to_string().into_bytes()),
    ];
    let archive = archive::pack(&files).unwrap();
    let path = "/registry/v1/widgets?code=bot_widget&visibility=public";
    let published = caller.send("POST", path, archive, &[("content-type", "application/zip")]).await;
    assert!(matches!(published, Reply::Answer(201, _)), "{published:?}");
    let secret = caller.post("/registry/v1/webhook-secret", String::new(), &[]).await;
    assert!(matches!(secret, Reply::Answer(201, _)), "{secret:?}");
}
