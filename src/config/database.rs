//! Which database to use, and as whom.

use std::path::PathBuf;

use secrecy::SecretString;

use super::reader::{Reader, Setting};
use super::{parse, setting};

/// Which database to use.
#[derive(Debug, Clone)]
pub enum Database {
    /// A private PostgreSQL in the data directory, run by the machine's own binaries.
    Embedded {
        /// The folder of `postgres` and `initdb`, when they are not where they usually are.
        bin_dir: Option<PathBuf>,
    },
    /// One that somebody else runs.
    External {
        /// For everything but migrations: of a role that owns nothing and is bound by row-level security.
        url: SecretString,
        /// For hearing other servers, past a pooler; the same when not set.
        direct_url: Option<SecretString>,
        /// For migrations, past a pooler: of the role that owns the tables. When not set, somebody else migrates.
        migration_url: Option<SecretString>,
        /// Whether the service may be any role, also one that row-level security does not bind. Then it also migrates.
        any_role: bool,
        /// Whether a transaction pooler stands between: then no start-up parameters are sent.
        pooler: bool,
    },
}

impl Database {
    pub(super) fn read(r: &mut Reader) -> Option<Self> {
        let url = Setting {
            secret: true,
            ..setting(
                "database_url",
                "",
                "URL of a PostgreSQL 14 or newer; without it, an embedded one is run. DATABASE_URL counts too.",
            )
        };
        let direct = Setting {
            secret: true,
            ..setting(
                "database_direct_url",
                "",
                "URL for hearing other servers, past a pooler; database_url when not set.",
            )
        };
        let migration = Setting {
            secret: true,
            ..setting(
                "database_migration_url",
                "",
                "URL for migrations, past a pooler, of the role that owns the tables; without it, the schema must be up to date.",
            )
        };
        let url = r.optional(url, parse::database_url);
        let direct_url = r.optional(direct, parse::database_url);
        let migration_url = r.optional(migration, parse::database_url);
        let any_role = r.value(
            setting(
                "database_any_role",
                "false",
                "Whether database_url may be of a superuser, of a role with BYPASSRLS or of the tables' owner.",
            ),
            parse::switch,
        );
        let pooler = r
            .value(setting("database_pooler", "false", "Whether database_url is a transaction pooler."), parse::switch);
        let bin_dir = r.optional(
            setting("postgres_bin", "", "Folder of postgres and initdb for the embedded database."),
            parse::path,
        );
        let (url, direct_url, pooler, bin_dir) = (url?, direct_url?, pooler?, bin_dir?);
        let (migration_url, any_role) = (migration_url?, any_role?);
        match url {
            Some(_) if pooler && direct_url.is_none() => {
                r.mistake(
                    "database_direct_url: is not set, but behind a pooler servers need the database itself to hear each other".to_owned(),
                );
                None
            }
            Some(url) => Some(Self::External { url, direct_url, migration_url, any_role, pooler }),
            None if direct_url.is_some() || migration_url.is_some() || any_role || pooler => {
                r.mistake(
                    "database_url: is not set, but database_direct_url, database_migration_url, database_any_role or database_pooler is; \
                     set it too"
                        .to_owned(),
                );
                None
            }
            None => Some(Self::Embedded { bin_dir }),
        }
    }
}
