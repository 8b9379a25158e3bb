//! One temporary PostgreSQL for the whole run, and in it a database for each test, copied from a template.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};
use widget_registry::database::embedded::{self, Cluster, Durability, Options, SERVICE_ROLE, Temporary};
use widget_registry::database::migrations;

use super::record;

/// When this variable is set, there is no row-level security: `tests/walls/sabotage/run` shows that some test notices.
const WITHOUT_WALLS: &str = "TEST_WITHOUT_WALLS";

/// How to reach the cluster as superuser.
pub fn options() -> PgConnectOptions {
    static OPTIONS: OnceLock<PgConnectOptions> = OnceLock::new();
    OPTIONS.get_or_init(start).clone()
}

/// Starts the cluster on a thread that never ends: the database dies with the thread that started it.
fn start() -> PgConnectOptions {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // Either is kept as long as this thread lives.
        let (mut temporary, mut kept) = (None, None);
        let options = if let Some(folder) = record::folder() {
            kept.insert(runtime.block_on(keep(folder))).connect_options()
        } else {
            let cluster = runtime.block_on(Temporary::start());
            temporary.insert(cluster.unwrap_or_else(|error| panic!("{error}"))).connect_options()
        };
        runtime.block_on(make_template(&options));
        send.send(options).unwrap();
        // The end of this process ends the cluster and removes its folder.
        loop {
            thread::park();
        }
    });
    receive.recv().expect("the temporary database starts")
}

/// A cluster that tells every statement with its values and throws nothing of its logs away. Its files stay.
async fn keep(folder: &Path) -> Cluster {
    let folder = folder.join("cluster");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    let cluster = Cluster::start(Options {
        cluster_dir: folder.join("data"),
        socket_dir: folder.join("socket"),
        bin_dir: None,
        durability: Durability::Throwaway,
        max_connections: 200,
        log: folder.join("log"),
    });
    let cluster = cluster.await.unwrap_or_else(|error| panic!("{error}"));
    let mut connection = cluster.connect_options().connect().await.unwrap();
    for setting in [
        "log_statement = 'all'",
        "log_parameter_max_length = -1",
        "log_parameter_max_length_on_error = -1",
        "log_error_verbosity = 'verbose'",
        // No piece of the write-ahead log is used again.
        "wal_keep_size = '1TB'",
    ] {
        execute(&mut connection, format!("ALTER SYSTEM SET {setting}")).await;
    }
    execute(&mut connection, "SELECT pg_reload_conf()".to_owned()).await;
    connection.close().await.unwrap();
    cluster
}

/// The template: migrated once for the service's role, and without open connections, so that it can be copied.
async fn make_template(options: &PgConnectOptions) {
    let mut connection = options.connect().await.unwrap();
    sqlx::query("CREATE DATABASE draft").execute(&mut connection).await.unwrap();
    embedded::make_service_role(&options.clone().database("draft")).await.unwrap();
    migrations::run(&options.clone().database("draft"), Some(SERVICE_ROLE)).await.unwrap();
    if std::env::var_os(WITHOUT_WALLS).is_some() {
        take_walls_down(&options.clone().database("draft")).await;
    }
    sqlx::query("ALTER DATABASE draft RENAME TO template").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn take_walls_down(options: &PgConnectOptions) {
    let mut connection = options.connect().await.unwrap();
    let tables = "SELECT DISTINCT tablename::text FROM pg_policies WHERE schemaname = 'public'";
    for table in sqlx::query_scalar::<_, String>(tables).fetch_all(&mut connection).await.unwrap() {
        execute(&mut connection, format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")).await;
    }
    connection.close().await.unwrap();
}

async fn execute(connection: &mut PgConnection, statement: String) {
    sqlx::query(AssertSqlSafe(statement)).execute(connection).await.unwrap();
}

/// A database of one test.
pub struct Database {
    pub name: String,
}

impl Database {
    /// Copies the template; an empty database when `migrated` is false.
    pub async fn create(migrated: bool) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let mut connection = options().connect().await.unwrap();
        let template = if migrated { "template" } else { "template0" };
        execute(&mut connection, format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")).await;
        connection.close().await.unwrap();
        Self { name }
    }

    /// How to reach it as superuser.
    pub fn options(&self) -> PgConnectOptions {
        options().database(&self.name)
    }

    /// The URL that a person would give to the service.
    pub fn url(&self) -> String {
        self.url_of(SERVICE_ROLE)
    }

    /// The URL of another role.
    pub fn url_of(&self, role: &str) -> String {
        let options = options();
        let socket = options.get_socket().unwrap().to_str().unwrap().replace('/', "%2F");
        format!("postgres://{role}@{socket}/{}", self.name)
    }

    /// Removes it, whoever is still connected.
    pub async fn drop(self) {
        record::database(&self.options()).await;
        let mut connection = options().connect().await.unwrap();
        execute(&mut connection, format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
        connection.close().await.unwrap();
    }
}
