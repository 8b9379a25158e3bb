//! One temporary PostgreSQL for the whole run, and in it a database for each test, copied from a template.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};
use widget_registry::database::embedded::{self, SERVICE_ROLE, Temporary};
use widget_registry::database::migrations;

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
        let cluster = runtime.block_on(Temporary::start());
        let cluster = cluster.unwrap_or_else(|error| panic!("{error}"));
        runtime.block_on(make_template(&cluster.connect_options()));
        send.send(cluster.connect_options()).unwrap();
        // The end of this process ends the cluster and removes its folder.
        loop {
            thread::park();
        }
    });
    receive.recv().expect("the temporary database starts")
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
        let mut connection = options().connect().await.unwrap();
        execute(&mut connection, format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
        connection.close().await.unwrap();
    }
}
