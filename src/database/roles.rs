//! Who we are to the database. The service's role owns nothing and is bound by row-level security; the tables belong to another one, as
//! which the migrations run.

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, Row as _};

/// What is wrong with a role that the service is to connect as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// It is a superuser, or a member of one.
    Superuser,
    /// It has `BYPASSRLS`, or is a member of a role that has.
    BypassesRowSecurity,
    /// Tables belong to it, or to a role that it is a member of.
    OwnsTables,
    /// It has `CREATEROLE`, or is a member of a role that has, and the database is older than PostgreSQL 16: there it may make itself a member of every role
    /// that is no superuser.
    GrantsItself,
}

/// A role that row-level security does not bind.
#[derive(Debug, thiserror::Error)]
#[error(
    "the role {role} of database_url {}, so the database would not keep the accounts apart. Make a role for the service,\n  \
     CREATE ROLE widget_registry LOGIN PASSWORD '…';\n\
     then set database_url to it, and database_migration_url to what database_url is now: that role goes on owning the tables, and grants \
     the new one what it needs. Or set database_any_role to true to do without that protection",
    .power.is()
)]
pub struct TooMighty {
    /// Its name, quoted where it must be.
    pub role: String,
    /// What is wrong with it.
    pub power: Power,
}

impl Power {
    const fn is(self) -> &'static str {
        match self {
            Self::Superuser => "is a superuser",
            Self::BypassesRowSecurity => "may bypass row-level security",
            Self::OwnsTables => "owns the tables",
            Self::GrantsItself => "may make itself a member of the tables' owner (CREATEROLE, before PostgreSQL 16)",
        }
    }
}

/// The name of the role as which we connect.
///
/// # Errors
///
/// When the database does not answer.
pub async fn name(options: &PgConnectOptions) -> Result<String, sqlx::Error> {
    let mut connection = options.clone().extra_float_digits(None).connect().await?;
    let name = sqlx::query_scalar("SELECT current_user::text").fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(name)
}

/// Whether row-level security binds the role as which we connect. What it may become by `SET ROLE` counts, too.
///
/// # Errors
///
/// [`TooMighty`] when it does not; errors of the database itself pass through.
pub async fn check(options: &PgConnectOptions) -> Result<Result<(), TooMighty>, sqlx::Error> {
    let mut connection = options.clone().extra_float_digits(None).connect().await?;
    let row = sqlx::query(
        "SELECT quote_ident(current_user) AS role, \
         EXISTS (SELECT FROM pg_roles r WHERE r.rolsuper AND pg_has_role(r.oid, 'MEMBER')) AS superuser, \
         EXISTS (SELECT FROM pg_roles r WHERE r.rolbypassrls AND pg_has_role(r.oid, 'MEMBER')) AS bypasses, \
         EXISTS (SELECT FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = to_regnamespace(quote_ident(current_schema())) \
           AND pg_has_role(c.relowner, 'MEMBER')) AS owns, \
         current_setting('server_version_num')::int < 160000 \
           AND EXISTS (SELECT FROM pg_roles r WHERE r.rolcreaterole AND pg_has_role(r.oid, 'MEMBER')) AS grants",
    )
    .fetch_one(&mut connection)
    .await?;
    let power = if row.try_get("superuser")? {
        Some(Power::Superuser)
    } else if row.try_get("bypasses")? {
        Some(Power::BypassesRowSecurity)
    } else if row.try_get("owns")? {
        Some(Power::OwnsTables)
    } else if row.try_get("grants")? {
        Some(Power::GrantsItself)
    } else {
        None
    };
    let role = row.try_get("role")?;
    connection.close().await?;
    Ok(power.map_or(Ok(()), |power| Err(TooMighty { role, power })))
}

/// Lets a role read and write every table; of the history of migrations it is only to know the end. Only what is missing is granted, so
/// that most starts change nothing. Whoever calls this holds the lock of the migrations: two who grant at once fail.
pub(super) async fn grant(connection: &mut PgConnection, role: &str, history: &str) -> Result<(), sqlx::Error> {
    // An identity column gives its numbers to whoever may insert.
    let grants: Vec<String> = sqlx::query_scalar(
        "SELECT format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), $1) \
         WHERE NOT has_schema_privilege($1, current_schema(), 'USAGE') \
         UNION ALL \
         SELECT format('GRANT %s ON %s TO %I', p.wanted, c.oid::regclass, $1) FROM pg_class c CROSS JOIN LATERAL ( \
           SELECT string_agg(privilege, ', ') AS wanted FROM unnest(CASE WHEN c.relname = $2 THEN '{SELECT}'::text[] \
             ELSE '{SELECT,INSERT,UPDATE,DELETE}' END) AS p (privilege) WHERE NOT has_table_privilege($1, c.oid, privilege)) AS p \
         WHERE c.relkind IN ('r', 'p') AND c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND pg_has_role(c.relowner, 'USAGE') \
         AND p.wanted IS NOT NULL",
    )
    .bind(role)
    .bind(history)
    .fetch_all(&mut *connection)
    .await?;
    for statement in grants {
        // The database has quoted the names.
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *connection).await?;
    }
    Ok(())
}
