//! Every setting, parsed once into its final type; all mistakes are reported together.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::{NonZero, NonZeroU32};
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use crate::auth::KeySource;
use crate::data_dir::{DataDir, DataDirError};
use crate::http::origin::PublicOrigin;
use crate::outgoing::Policy;

mod database;
mod encryption;
mod install_memory;
mod keep;
mod limits;
mod metrics;
mod parse;
mod reader;
mod reference;

pub use database::Database;
pub use encryption::{ENCRYPTION_KEY, EncryptionKeys};
pub use install_memory::InstallMemory;
pub use keep::Keep;
pub use limits::Limits;
pub use metrics::MetricsReaders;
pub(crate) use parse::duration;
pub use reader::{Origin, Reader, Setting, Shown, Sources, variable_of};
pub use reference::reference;

/// The configuration of one running service.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Keys, the embedded database and the lock live here.
    pub data_dir: PathBuf,
    /// Which database to use.
    pub database: Database,
    /// How installs are remembered.
    pub install_memory: InstallMemory,
    /// Connections of the pool.
    pub database_connections: u32,
    /// What links begin with; without it, what the client used.
    pub public_url: Option<PublicOrigin>,
    /// Whose `X-Forwarded-*` headers count.
    pub trusted_proxies: Vec<IpNet>,
    /// Which web origins may call from a browser.
    pub cors_origins: Vec<PublicOrigin>,
    /// The `iss` claim of every token.
    pub issuer: String,
    /// The language of texts when the caller's is not there.
    pub default_locale: String,
    /// The PEM of the Ed25519 key that signs our tokens; by default one in the data directory.
    pub signing_key: Option<PathBuf>,
    /// Further keys that tokens may be signed with.
    pub verification_keys: Vec<KeySource>,
    /// The keys that encrypt what is secret in the database; with the embedded one, by default, those in the data directory.
    pub encryption_keys: Option<EncryptionKeys>,
    /// Requests per second of one account and integration; none by default.
    pub rate: Option<NonZeroU32>,
    /// Threads that answer requests; 0 for one per processor.
    pub workers: usize,
    /// What the log shows, in tracing's filter syntax.
    pub log: String,
    /// How the log looks.
    pub log_format: LogFormat,
    /// Who may read `/metrics`.
    pub metrics: MetricsReaders,
    /// Which addresses that somebody else chose are called.
    pub outgoing: Policy,
    /// Sizes, times and counts.
    pub limits: Limits,
    /// How long things are kept after their end.
    pub keep: Keep,
}

/// How the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// A configuration that was read, with every setting as it is printed.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration; every mistake, when there was any.
    pub config: Result<Config, Mistakes>,
    /// Every setting, its value and where it came from.
    pub shown: Vec<Shown>,
}

/// All that is wrong with a configuration, a sentence each.
#[derive(Debug, thiserror::Error)]
#[error("the configuration has {} mistake(s):\n{}", .0.len(), .0.iter().map(|m| format!("  - {m}")).collect::<Vec<_>>().join("\n"))]
pub struct Mistakes(pub Vec<String>);

/// A configuration file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read the configuration file {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not TOML.
    #[error("the configuration file {path} is not valid TOML: {source}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
}

/// Reads a configuration file.
///
/// # Errors
///
/// When it cannot be read or is not TOML.
pub fn read_file(path: &Path) -> Result<toml::Table, FileError> {
    let text = std::fs::read_to_string(path).map_err(|source| FileError::Read { path: path.to_owned(), source })?;
    text.parse().map_err(|source| FileError::Syntax { path: path.to_owned(), source: Box::new(source) })
}

const fn setting(name: &'static str, default: &'static str, explanation: &'static str) -> Setting {
    Setting { name, default, explanation, secret: false }
}

impl Config {
    /// Reads every setting from flags, environment and file, in this order.
    #[must_use]
    pub fn read(sources: Sources) -> Loaded {
        let home = default_data_dir(&sources.environment);
        let mut reader = Reader::new(sources);
        let config = read_all(&mut reader, home);
        let (shown, mistakes) = reader.finish();
        let config = match config {
            Some(config) if mistakes.is_empty() => Ok(config),
            _ => Err(Mistakes(mistakes)),
        };
        Loaded { config, shown }
    }

    /// How many threads answer requests, at least one.
    #[must_use]
    pub fn threads(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(2, NonZero::get),
            count => count,
        }
    }
}

fn default_data_dir(environment: &BTreeMap<String, String>) -> Result<PathBuf, DataDirError> {
    let of = |name: &str| environment.get(name).map(OsString::from);
    DataDir::default_path(nix::unistd::geteuid().is_root(), of("XDG_DATA_HOME"), of("HOME"))
}

fn read_all(r: &mut Reader, home: Result<PathBuf, DataDirError>) -> Option<Config> {
    let listen = r.value(
        setting("listen", "127.0.0.1:8080", "Address and port to listen on; port 0 takes a free one."),
        parse::listen,
    );
    let data_dir = r.optional(
        setting(
            "data_dir",
            "",
            "Folder of keys, lock and embedded database; /var/lib/widget-registry for root, else below XDG_DATA_HOME.",
        ),
        parse::path,
    );
    let data_dir = match (data_dir, home) {
        (Some(None), Ok(home)) => {
            r.comes_to("data_dir", &home.display());
            Some(home)
        }
        (Some(None), Err(error)) => {
            r.mistake(format!("data_dir: is not set, and {error}"));
            None
        }
        (given, _) => given.flatten(),
    };
    let database = Database::read(r);
    let install_memory = InstallMemory::read(r, database.as_ref());
    let database_connections =
        r.value(setting("database_connections", "16", "Connections to the database at most."), parse::connections);
    let public_url = r.optional(
        setting("public_url", "", "What links begin with; without it, the Host that the client used."),
        parse::origin,
    );
    let trusted_proxies = r.value(
        setting("trusted_proxies", "", "Addresses or networks whose X-Forwarded-Proto and -Host count."),
        parse::networks,
    );
    let cors_origins =
        r.value(setting("cors_origins", "", "Web origins that may call from a browser."), parse::origins);
    let issuer =
        r.value(setting("issuer", "widget-registry", "The iss claim that every token must carry."), parse::non_empty);
    let default_locale =
        r.value(setting("default_locale", "en", "Language of texts when the caller's is not there."), parse::locale);
    let signing_key = r.optional(
        setting(
            "signing_key",
            "",
            "PEM file of the Ed25519 key that signs our tokens; made in the data directory when not set.",
        ),
        parse::path,
    );
    let verification_keys = r.value(
        setting(
            "verification_keys",
            "",
            "Further keys: kid=ID,algorithm=EdDSA|RS256|ES256|HS256,file=PATH, jwks=PATH or jwks=URL, parted by semicolons.",
        ),
        parse::keys,
    );
    let encryption_keys = EncryptionKeys::read(r);
    let rate = r.optional(
        setting("rate", "", "Requests per second of one account and integration; no limit when not set."),
        parse::rate,
    );
    let workers = r.value(
        setting("workers", "0", "Threads that answer requests; 0 for one per processor."),
        parse::count(0, 1_024),
    );
    let (log, log_format) = log(r);
    let metrics = MetricsReaders::read(r);
    let outgoing = outgoing(r);
    let limits = Limits::read(r);
    let keep = Keep::read(r);
    Some(Config {
        listen: listen?,
        data_dir: data_dir?,
        database: database?,
        install_memory: install_memory?,
        database_connections: database_connections?,
        public_url: public_url?,
        trusted_proxies: trusted_proxies?,
        cors_origins: cors_origins?,
        issuer: issuer?,
        default_locale: default_locale?,
        signing_key: signing_key?,
        verification_keys: verification_keys?,
        encryption_keys: encryption_keys?,
        rate: rate?,
        workers: workers?,
        log: log?,
        log_format: log_format?,
        metrics: metrics?,
        outgoing: outgoing?,
        limits: limits?,
        keep: keep?,
    })
}

fn outgoing(r: &mut Reader) -> Option<Policy> {
    let http = r.value(
        setting("outgoing.http", "false", "Whether widgets and engines are called at public http:// addresses too."),
        parse::switch,
    );
    let loopback = r.value(
        setting("outgoing.loopback", "false", "Whether they are called on this machine too, for development."),
        parse::switch,
    );
    Some(Policy { http: http?, loopback: loopback? })
}

fn log(r: &mut Reader) -> (Option<String>, Option<LogFormat>) {
    let log = r.value(
        setting(
            "log",
            "info,actix_http=off,actix_server=warn,refinery_core=warn,sqlx=warn",
            "What the log shows, such as info or widget_registry=debug,warn.",
        ),
        log_filter,
    );
    (log, r.value(setting("log_format", "text", "How the log looks: text or json."), log_format))
}

fn log_filter(text: &str) -> Result<String, String> {
    text.parse::<tracing_subscriber::filter::Targets>()
        .map(|_| text.to_owned())
        .map_err(|error| format!("is not a log filter: {error}"))
}

fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("is neither text nor json".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(flags: &[(&'static str, &str)], environment: &[(&str, &str)], file: &str) -> Sources {
        Sources {
            flags: flags.iter().map(|(k, v)| (*k, (*v).to_owned())).collect(),
            environment: environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            file: file.parse().unwrap(),
        }
    }

    fn origin_of(loaded: &Loaded, name: &str) -> Origin {
        loaded.shown.iter().find(|shown| shown.name == name).unwrap().origin.clone()
    }

    #[test]
    fn flags_win_over_the_environment_over_the_file() {
        let file = "issuer = \"file\"\ndefault_locale = \"ru\"\nrate = 5\n[limits]\npage_size = 100\n";
        let environment = [("WIDGET_REGISTRY_ISSUER", "env"), ("WIDGET_REGISTRY_DEFAULT_LOCALE", "es")];
        let loaded = Config::read(sources(&[("issuer", "flag")], &environment, file));
        assert_eq!(origin_of(&loaded, "issuer"), Origin::Flag("--issuer".into()));
        assert_eq!(origin_of(&loaded, "rate"), Origin::File("rate".into()));
        assert_eq!(origin_of(&loaded, "workers"), Origin::Default);
        let config = loaded.config.unwrap();
        assert_eq!((config.issuer.as_str(), config.default_locale.as_str()), ("flag", "es"));
        assert_eq!((config.rate.map(NonZeroU32::get), config.limits.page_size), (Some(5), 100));
    }

    #[test]
    fn all_mistakes_come_at_once_and_name_their_place() {
        let flags = [("listen", "nowhere")];
        let environment = [("WIDGET_REGISTRY_LIMITS_JSON_BODY", "huge"), ("DATABASE_URL", "mysql://x")];
        let Mistakes(mistakes) = Config::read(sources(&flags, &environment, "colour = \"red\"")).config.unwrap_err();
        assert_eq!(mistakes.len(), 4, "{mistakes:#?}");
        for expected in [
            "--listen",
            "WIDGET_REGISTRY_LIMITS_JSON_BODY",
            "environment DATABASE_URL",
            "colour: there is no such setting",
        ] {
            assert!(mistakes.iter().any(|mistake| mistake.contains(expected)), "{expected}: {mistakes:#?}");
        }
        assert!(!mistakes.join("").contains("mysql://x"), "a secret's text is not shown");
    }

    #[test]
    fn secrets_are_masked() {
        let loaded = Config::read(sources(&[], &[("DATABASE_URL", "postgres://u:hunter2@h/d")], ""));
        assert!(loaded.shown.iter().all(|shown| !shown.value.contains("hunter2")));
        assert!(!format!("{:?}", loaded.config.unwrap()).contains("hunter2"));
    }

    #[test]
    fn what_may_be_called_is_a_table() {
        let outgoing = |file: &str| Config::read(sources(&[], &[], file)).config.map(|config| config.outgoing);
        assert_eq!(outgoing("").unwrap(), Policy { http: false, loopback: false });
        assert_eq!(outgoing("[outgoing]\nloopback = true").unwrap(), Policy { http: false, loopback: true });
        assert_eq!(outgoing("[outgoing]\nhttp = true").unwrap(), Policy { http: true, loopback: false });
        let Mistakes(mistakes) = outgoing("[outgoing]\nproxy = true").unwrap_err();
        assert!(mistakes[0].starts_with("outgoing.proxy: there is no such setting"), "{mistakes:?}");
    }

    #[test]
    fn verification_keys_may_be_tables() {
        let file = "[[verification_keys]]\nkid = \"a\"\nalgorithm = \"RS256\"\nfile = \"/a.pem\"\n[[verification_keys]]\njwks = \"/b.json\"\n";
        assert_eq!(Config::read(sources(&[], &[], file)).config.unwrap().verification_keys.len(), 2);
    }
}
