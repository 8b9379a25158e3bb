//! What a run of all tests leaves behind to be searched for its secrets, which `tests/canary/suite` does.
//!
//! When [`FOLDER`] is set, it names a folder into which everything is written that the service tells, whichever test it is told to,
//! and every secret that the tests give to it or get from it. Without it nothing here does anything, but for [`secret`].

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, OnceLock};

use aws_lc_rs::encoding::{AsBigEndian as _, EcPrivateKeyBin};
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use uuid::Uuid;
use widget_registry::sources::Secrets;

use super::client::Answer;

/// The variable that names the folder.
pub const FOLDER: &str = "CANARY_SUITE";

/// The file of all secrets: on each line a name, a tab, and the bytes in hexadecimal digits.
pub const SECRETS: &str = "secrets";

/// Where something was told or left behind: a file in the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Told {
    /// The log at `trace` of the services that run within the tests, and of the tests' own clients.
    Log,
    /// What programs print on standard error, and servers on standard output.
    Programs,
    Arguments,
    /// Bodies and headers of answers with a status of 400 and more.
    Errors,
    Metrics,
    /// Every row of each test's database at its end, as text.
    Rows,
    /// The files of the tables and indexes of each such database, where they differ from the template's.
    Tables,
    /// Files of databases that servers ran by themselves: log, write-ahead log and tables.
    Embedded,
}

impl Told {
    pub const ALL: [Self; 8] = [
        Self::Log,
        Self::Programs,
        Self::Arguments,
        Self::Errors,
        Self::Metrics,
        Self::Rows,
        Self::Tables,
        Self::Embedded,
    ];

    /// The name of its file.
    pub fn file(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// The folder of this run, when it is to be searched. The first call starts the log.
pub fn folder() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let found = PathBuf::from(std::env::var_os(FOLDER)?);
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(Mutex::new(open(&found, Told::Log)));
        tracing_subscriber::registry().with(layer).try_init().expect("no test has a log of its own");
        Some(found)
    });
    found.as_deref()
}

fn open(folder: &Path, told: Told) -> File {
    appending(&folder.join(told.file()))
}

fn appending(path: &Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).unwrap()
}

/// Adds to what is searched.
pub fn tell(told: Told, bytes: &[u8]) {
    static FILES: Mutex<BTreeMap<Told, File>> = Mutex::new(BTreeMap::new());
    if let Some(folder) = folder() {
        let mut files = FILES.lock().unwrap();
        let file = files.entry(told).or_insert_with(|| open(folder, told));
        file.write_all(&[bytes, b"\n"].concat()).unwrap();
    }
}

/// Adds to what is searched for. Less than [`LEAST`](crate::canary::search::LEAST) bytes are not.
pub fn note(name: &str, secret: impl AsRef<[u8]>) {
    type Noted = (File, HashSet<(String, Vec<u8>)>);
    static NOTED: Mutex<Option<Noted>> = Mutex::new(None);
    let secret = secret.as_ref();
    if let Some(folder) = folder()
        && secret.len() >= crate::canary::search::LEAST
    {
        let mut noted = NOTED.lock().unwrap();
        let (file, known) = noted.get_or_insert_with(|| (appending(&folder.join(SECRETS)), HashSet::new()));
        if known.insert((name.to_owned(), secret.to_vec())) {
            let line = secret.iter().fold(format!("{name}\t"), |line, byte| format!("{line}{byte:02x}"));
            file.write_all(format!("{line}\n").as_bytes()).unwrap();
        }
    }
}

/// A secret of a test: its name and, after a hyphen, 32 digits that are others in every run. The same for the same name within a run.
pub fn secret(name: &str) -> String {
    static MADE: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap();
    let digits = made.entry(name.to_owned()).or_insert_with(|| Uuid::new_v4().simple().to_string());
    note(name, digits.as_bytes());
    format!("{name}-{digits}")
}

/// A token: who it is of may be told, so what is secret is its signature.
pub fn note_token(name: &str, token: &str) {
    if let Some((_, signature)) = token.rsplit_once('.') {
        note(name, signature);
        note(name, URL_SAFE_NO_PAD.decode(signature).unwrap_or_default());
    } else if let Some(secret) = token.strip_prefix("refresh-").and_then(|token| token.splitn(3, '-').nth(2)) {
        note(name, secret);
    }
}

/// Looks an answer through: what it shows of secrets is noted, and errors are kept.
pub fn see(path: &str, answer: &Answer) {
    if folder().is_none() {
        return;
    }
    if path == "/metrics" {
        tell(Told::Metrics, &answer.body);
    }
    if answer.status >= 400 {
        tell(Told::Errors, format!("{} {:?}", answer.status, answer.headers).as_bytes());
        tell(Told::Errors, &answer.body);
        return;
    }
    let Ok(Value::Object(body)) = serde_json::from_slice(&answer.body) else { return };
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    if let Some(secret) = text("secret") {
        note("made secret", secret);
        if let Some(Ok(bytes)) = secret.strip_prefix("whsec_").map(|rest| STANDARD.decode(rest)) {
            note("made secret", bytes);
        }
    }
    for name in ["access_token", "refresh_token"] {
        if let Some(token) = text(name) {
            note_token(name, token);
        }
    }
}

/// Looks the bytes of a connection through for errors.
pub fn see_bytes(bytes: &[u8]) {
    if bytes.get(9).is_some_and(|digit| (b'4'..=b'5').contains(digit)) {
        tell(Told::Errors, bytes);
    }
}

/// Randomness whose keys are noted: they are 32 bytes, and nothing else that is filled is as long.
pub fn randomness() -> Secrets {
    let random = Secrets::random();
    Secrets::new(move |bytes| {
        random.fill(bytes)?;
        if bytes.len() == 32 {
            note("key", &*bytes);
        }
        Ok(())
    })
}

/// Notes the keys in a folder of keys: those that sign, and those that encrypt keys.
pub fn note_keys(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        // Key-encryption keys have a folder of their own.
        if path.is_dir() {
            note_keys(&path);
            continue;
        }
        let bytes = fs::read(&path).unwrap_or_default();
        match path.extension().and_then(|extension| extension.to_str()) {
            // PKCS #8 of Ed25519 without the public half ends with the private one.
            Some("pem") => match pem::parse(bytes) {
                Ok(document) if document.tag() == "PRIVATE KEY" && document.contents().len() == 48 => {
                    note("signing key", &document.contents()[16..]);
                }
                _ => {}
            },
            Some("key") if bytes.len() == 32 => note("key-encryption key", bytes),
            _ => {}
        }
    }
}

/// Notes the private half of a key.
pub fn note_ed25519(pair: &Ed25519KeyPair) {
    note("private key", pair.seed().unwrap().as_be_bytes().unwrap().as_ref());
}

/// Notes the private half of a key.
pub fn note_es256(pair: &EcdsaKeyPair) {
    let private: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes().unwrap();
    note("private key", private.as_ref());
}

/// Programs that are run to their end.
pub trait Run {
    /// What it printed. Its arguments are kept, and what it complains about; what it prints is kept too, unless it was asked for a
    /// token, which is all that it prints.
    fn run(&mut self) -> Output;
}

impl Run for Command {
    fn run(&mut self) -> Output {
        at_trace(self);
        arguments(self);
        let output = self.output().unwrap();
        tell(Told::Programs, &output.stderr);
        if !self.get_args().any(|argument| argument == "token") {
            tell(Told::Programs, &output.stdout);
        }
        output
    }
}

/// Has a program log everything, unless the test says how much.
pub fn at_trace(command: &mut Command) {
    const LOG: &str = "WIDGET_REGISTRY_LOG";
    let chosen =
        command.get_args().any(|argument| argument == "--log") || command.get_envs().any(|(name, _)| name == LOG);
    if folder().is_some() && !chosen {
        command.env(LOG, "trace");
    }
}

/// Keeps a program's arguments, but for secrets that whoever starts it chose to give so.
pub fn arguments(command: &Command) {
    tell_arguments(command.get_args().map(std::ffi::OsStr::as_bytes));
}

/// Keeps the arguments of every process of this machine, but for secrets that a test chose to give so.
pub fn processes() {
    if folder().is_some() {
        for process in fs::read_dir("/proc").unwrap() {
            // A process may have ended meanwhile.
            let arguments = fs::read(process.unwrap().path().join("cmdline")).unwrap_or_default();
            tell_arguments(arguments.split(|byte| *byte == 0));
        }
    }
}

fn tell_arguments<'a>(arguments: impl Iterator<Item = &'a [u8]>) {
    let mut is_chosen = false;
    for argument in arguments {
        if !is_chosen {
            tell(Told::Arguments, argument);
        }
        is_chosen = argument == b"--secret" || argument == b"--token";
    }
}

/// Keeps what the database of a test holds, before it is removed.
pub async fn database(options: &sqlx::postgres::PgConnectOptions) {
    let Some(folder) = folder() else { return };
    let mut connection = options.connect().await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('SELECT %L || t::text FROM %I.%I t', tablename, schemaname, tablename) FROM pg_tables \
         WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    if !tables.is_empty() {
        let all = AssertSqlSafe(tables.join(" UNION ALL "));
        let rows: Vec<String> = sqlx::query_scalar(all).fetch_all(&mut connection).await.unwrap();
        for row in rows {
            tell(Told::Rows, row.as_bytes());
        }
    }
    sqlx::query("CHECKPOINT").execute(&mut connection).await.unwrap();
    let number = "SELECT oid::int8, coalesce((SELECT oid::int8 FROM pg_database WHERE datname = 'template'), 0) \
                  FROM pg_database WHERE datname = current_database()";
    let (own, template): (i64, i64) = sqlx::query_as(number).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let base = folder.join("cluster/data/base");
    let template = base.join(template.to_string());
    tables_in(&base.join(own.to_string()), Told::Tables, |name| fs::read(template.join(name)).unwrap_or_default());
}

/// Keeps the files of the tables in a database's folder that are not PostgreSQL's own and differ from those of another.
fn tables_in(folder: &Path, told: Told, other: impl Fn(&str) -> Vec<u8>) {
    // The number of the first object that is not PostgreSQL's own.
    const FIRST: u32 = 16_384;
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let digits: String = name.chars().take_while(char::is_ascii_digit).collect();
        // A file may be gone meanwhile.
        let bytes = fs::read(folder.join(&name)).unwrap_or_default();
        if digits.parse().is_ok_and(|number: u32| number >= FIRST) && !bytes.is_empty() && bytes != other(&name) {
            tell(told, &bytes);
        }
    }
}

/// Keeps what a server leaves in its data directory, which may hold a database of its own, and notes its keys.
pub fn data_directory(data_dir: &Path) {
    if folder().is_none() {
        return;
    }
    note_keys(&data_dir.join("keys"));
    for log in ["postgres.log", "postgres.log.1"] {
        tell(Told::Embedded, &fs::read(data_dir.join(log)).unwrap_or_default());
    }
    for segment in fs::read_dir(data_dir.join("postgres/pg_wal")).into_iter().flatten() {
        let segment = fs::read(segment.unwrap().path()).unwrap_or_default();
        tell(Told::Embedded, &crate::canary::search::without_page_headers(&segment));
    }
    for database in fs::read_dir(data_dir.join("postgres/base")).into_iter().flatten() {
        tables_in(&database.unwrap().path(), Told::Embedded, |_| Vec::new());
    }
}
