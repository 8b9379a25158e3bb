//! A registry of its own as an operator runs it, with everything told that can be told, and all of what it tells and leaves behind.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};
use tempfile::TempDir;
use uuid::Uuid;
use widget_registry::data_dir::DataDir;
use widget_registry::database::embedded::{Cluster, Durability, Options, connect_options, find_binaries};

use super::issuer::Issuer;
use super::secrets::Secrets;
use crate::program::server::{Server, folder, program_of};
use crate::support::{Answer, Claims, Client};

/// When this variable is set, it names another program to search: `tests/canary/sabotage/run` has one that tells secrets.
const PROGRAM: &str = "CANARY_PROGRAM";

fn program() -> Command {
    program_of(std::env::var_os(PROGRAM).unwrap_or_else(|| env!("CARGO_BIN_EXE_widget-registry").into()))
}

/// Where something may be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The program's log at `trace`, spans included, as text and as JSON; and what its commands print.
    Log,
    /// Arguments of every process of this machine, seen after every request and while commands run.
    Arguments,
    /// Answers of `/metrics`.
    Metrics,
    /// Errors: status, headers and body.
    Errors,
    /// Other answers, but for the bodies of those that are there to show a secret.
    Answers,
    /// What somebody else whose keys are fetched is asked.
    Outgoing,
    /// What the database logs when it logs every statement with its values.
    DatabaseLog,
    /// The write-ahead log of the whole run.
    Wal,
    /// The files of the database.
    Tables,
    /// `pg_dump`.
    Dump,
    /// Everything else in the data directory, but for the folder of keys.
    DataDirectory,
}

/// Whether an answer is there to show a secret to who may see it: creation and rotation of a secret, tokens, the settings for
/// their own integration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    Nothing,
    Secret,
}

pub struct World {
    home: TempDir,
    pub data_dir: PathBuf,
    pub secrets: Secrets,
    pub issuer: Issuer,
    /// A word that is not secret and stands in everything.
    pub open: String,
    /// The beginning of that word: the data directory's name, and a setting's.
    pub name: String,
    /// A number that is not secret: of the account, and of what `/metrics` tells.
    pub account: i64,
    places: RefCell<BTreeMap<Place, Vec<u8>>>,
}

impl World {
    pub async fn new() -> Self {
        let (home, open) = (folder(), format!("open{}", Uuid::new_v4().simple()));
        // A short name: the path of the database's socket has a limit.
        let name: String = open.chars().take(16).collect();
        let data_dir = home.path().join(&name);
        let secrets = Secrets::default();
        let issuer = Issuer::start(&secrets, home.path(), &name);
        let number = i64::from(Uuid::new_v4().as_fields().0);
        let world = Self {
            home,
            data_dir,
            secrets,
            issuer,
            open,
            name,
            account: 7_000_000_000_000_000 + number,
            places: RefCell::default(),
        };
        world.make_database_talk().await;
        world
    }

    async fn make_database_talk(&self) {
        let folder = DataDir::open(&self.data_dir).unwrap();
        let options = Options {
            cluster_dir: folder.cluster_dir(),
            socket_dir: folder.socket_dir(),
            bin_dir: None,
            durability: Durability::Throwaway,
            max_connections: 20,
            log: folder.database_log(),
        };
        let cluster = Cluster::start(options).await.unwrap();
        let mut connection = cluster.connect_options().connect().await.unwrap();
        for setting in [
            "log_statement = 'all'",
            "log_min_duration_statement = 0",
            "log_parameter_max_length = -1",
            "log_parameter_max_length_on_error = -1",
            "log_error_verbosity = 'verbose'",
            // No piece of the log is used again.
            "wal_keep_size = '8GB'",
        ] {
            let statement = AssertSqlSafe(format!("ALTER SYSTEM SET {setting}"));
            sqlx::query(statement).execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
        cluster.stop().await.unwrap();
    }

    /// Starts the program with its log in this format.
    pub fn start(&self, format: &str) -> Server {
        let mut command = program();
        command.env("WIDGET_REGISTRY_OUTGOING_LOOPBACK", "true");
        command.env("WIDGET_REGISTRY_VERIFICATION_KEYS", format!("jwks={}", self.issuer.url));
        command.env("SSL_CERT_FILE", &self.issuer.certificate);
        let server = Server::run(command, &self.data_dir, &["--log", "trace", "--log-format", format]);
        self.see_arguments();
        server
    }

    pub fn stop(&self, mut server: Server) {
        server.signal(Signal::SIGTERM);
        assert!(server.wait().success(), "{}", server.log());
        let mut printed = Vec::new();
        server.rest.read_to_end(&mut printed).unwrap();
        self.add(Place::Log, &printed);
        self.add(Place::Log, server.all_of_the_log().as_bytes());
    }

    /// Runs a command with its log at `trace`; all that it prints is searched.
    pub fn command(&self, arguments: &[&str]) {
        let mut command = program();
        command.args(arguments).arg("--data-dir").arg(&self.data_dir);
        command.env("WIDGET_REGISTRY_LOG", "trace").stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        self.see_arguments();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        self.add(Place::Log, &output.stdout);
        self.add(Place::Log, &output.stderr);
    }

    /// A caller whose token is noted.
    pub fn caller(&self, server: &Server, claims: &Claims) -> Client {
        let key = widget_registry::auth::SigningKey::load(&self.data_dir.join("keys/signing.pem")).unwrap();
        let token = claims.sign(&key, widget_registry::sources::Clock::system().now());
        self.secrets.token("access token", &token);
        server.with_token(&token)
    }

    /// Takes what the other issuer was asked to what leaves the service.
    pub fn hear(&self) {
        self.add(Place::Outgoing, &self.issuer.heard());
    }

    /// Takes an answer to what leaves the service.
    pub fn see(&self, place: Option<Place>, answer: &Answer, shows: Shows) {
        let place = place.unwrap_or(if answer.status >= 400 { Place::Errors } else { Place::Answers });
        assert!(place == Place::Answers || shows == Shows::Nothing, "{answer:?}");
        self.add(place, format!("{} {:?}\n", answer.status, answer.headers).as_bytes());
        if shows == Shows::Nothing {
            self.add(place, &answer.body);
        }
        self.see_arguments();
    }

    fn see_arguments(&self) {
        for process in fs::read_dir("/proc").unwrap() {
            // A process may have ended meanwhile.
            if let Ok(arguments) = fs::read(process.unwrap().path().join("cmdline"))
                && !arguments.is_empty()
            {
                self.add_once(Place::Arguments, &arguments);
            }
        }
    }

    fn add(&self, place: Place, bytes: &[u8]) {
        let mut places = self.places.borrow_mut();
        let all = places.entry(place).or_default();
        all.extend_from_slice(bytes);
        all.push(b'\n');
    }

    fn add_once(&self, place: Place, bytes: &[u8]) {
        let known = self.places.borrow().get(&place).is_some_and(|all| super::search::holds(all, bytes));
        if !known {
            self.add(place, bytes);
        }
    }

    /// A connection past the service, as superuser.
    pub async fn connect(&self) -> PgConnection {
        self.superuser().connect().await.unwrap()
    }

    fn superuser(&self) -> PgConnectOptions {
        connect_options(&DataDir::peek(&self.data_dir).unwrap().socket_dir())
    }

    /// Notes the keys that are there now.
    pub async fn note_keys(&self) {
        let encrypting = self.secrets.keys(&self.data_dir.join("keys"));
        let mut connection = self.connect().await;
        let statement = "SELECT account_id, id, kek_id, wrapped FROM data_keys";
        let rows: Vec<(i64, i32, String, Vec<u8>)> =
            sqlx::query_as(statement).fetch_all(&mut connection).await.unwrap();
        assert!(!rows.is_empty());
        for row in &rows {
            self.secrets.data_key(&encrypting, row);
        }
        connection.close().await.unwrap();
    }

    pub fn dump(&self) {
        let options = self.superuser();
        let mut command = Command::new(find_binaries(None, None, None).unwrap().dir.join("pg_dump"));
        command.args(["--username=postgres", "--port=5432", "--dbname=postgres", "--host"]);
        let output = command.arg(options.get_socket().unwrap()).output().expect("pg_dump stands beside postgres");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.add(Place::Dump, &output.stdout);
    }

    /// Everything by place, with what is left in the data directory after the end of the program.
    pub fn places(self) -> BTreeMap<Place, Vec<u8>> {
        let mut wal = Vec::new();
        for path in files(self.home.path()) {
            // Beside the data directory is what the test itself has written.
            let Ok(within) = path.strip_prefix(&self.data_dir) else { continue };
            let within = within.to_str().unwrap();
            let bytes = fs::read(&path).unwrap();
            match within {
                // The one place where they must be; only their owner can enter it.
                _ if within.starts_with("keys/") => {}
                _ if within.starts_with("postgres/pg_wal/") => wal.extend(bytes),
                _ if within.starts_with("postgres/base/") || within.starts_with("postgres/global/") => {
                    self.add(Place::Tables, &bytes);
                }
                _ if within.starts_with("postgres.log") => self.add(Place::DatabaseLog, &bytes),
                _ => {
                    self.add(Place::DataDirectory, within.as_bytes());
                    self.add(Place::DataDirectory, &bytes);
                }
            }
        }
        self.add(Place::Wal, &super::search::without_page_headers(&wal));
        self.places.into_inner()
    }
}

/// The files in a folder and below it, in the order of their names.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let within = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    entries.into_iter().flat_map(within).filter(|path| path.is_file()).collect()
}
