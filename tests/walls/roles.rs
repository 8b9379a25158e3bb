//! As whom the service and the migrations connect, and what is refused.

use std::path::Path;
use std::process::{Command, Output};

use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};
use widget_registry::database::embedded::SERVICE_ROLE;
use widget_registry::database::migrations;

use crate::program::server::{Server, block_on, folder, program};
use crate::support::cluster::{self, Database};
use crate::support::record::Run as _;
use crate::support::{Claims, Sample};

/// Runs statements as superuser, on a database or, without one, on the cluster.
async fn superuser(database: Option<&Database>, statements: &[String]) {
    let options = database.map_or_else(cluster::options, Database::options);
    let mut connection: PgConnection = options.connect().await.unwrap();
    for statement in statements {
        sqlx::raw_sql(AssertSqlSafe(statement.clone())).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
}

/// The version of PostgreSQL, as 150004 for 15.4.
async fn version(database: &Database) -> i32 {
    let mut connection = database.options().connect().await.unwrap();
    let version = "SELECT current_setting('server_version_num')::int";
    let version = sqlx::query_scalar(version).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    version
}

/// The program with URLs of a database: as whom it serves, and as whom it migrates.
fn with_roles(database: &Database, service: &str, owner: Option<&str>) -> Command {
    let mut command = program();
    command.env("WIDGET_REGISTRY_DATABASE_URL", database.url_of(service));
    command.env("WIDGET_REGISTRY_ENCRYPTION_KEYS", crate::support::app::encryption_key());
    if let Some(owner) = owner {
        command.env("WIDGET_REGISTRY_DATABASE_MIGRATION_URL", database.url_of(owner));
    }
    command
}

fn migrate(mut command: Command) -> Output {
    command.arg("migrate").run()
}

/// A `serve` that must not start; what it complains of.
fn refused(mut command: Command, data_dir: &Path) -> String {
    let output = command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data_dir).run();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    assert!(output.stdout.is_empty());
    complaint
}

/// Publishes and installs.
fn works(server: &Server, data_dir: &Path) {
    block_on(async {
        let admin = server.caller(data_dir, &Claims::admin(1, 7).scopes(&["publish", "publish:public"]));
        let widget = Sample::plain("plain");
        let path = "/registry/v1/widgets?code=plain&visibility=public";
        assert_eq!(admin.post_bytes(path, "application/zip", widget.zip()).await.status, 201);
        assert_eq!(admin.post("/api/v4/widgets/plain", "{}").await.status, 200);
        let other = server.caller(data_dir, &Claims::admin(2, 7));
        assert_eq!(other.get("/api/v4/widgets/plain").await.json()["is_active_in_account"], false);
        assert_eq!(admin.get("/api/v4/widgets/plain").await.json()["is_active_in_account"], true);
    });
}

#[test]
fn a_service_that_the_walls_do_not_bind_is_refused_unless_told_otherwise() {
    let home = folder();
    let data_dir = home.path().join("data");
    let database = block_on(Database::create(true));
    let name = &database.name;
    block_on(superuser(
        Some(&database),
        &[
            format!("CREATE ROLE {name}_super SUPERUSER LOGIN"),
            format!("CREATE ROLE {name}_bypass BYPASSRLS LOGIN"),
            format!("CREATE ROLE {name}_heir LOGIN NOINHERIT IN ROLE {name}_bypass"),
            format!("CREATE ROLE \"{name} Owner\" LOGIN"),
            format!("CREATE ROLE {name}_member LOGIN NOINHERIT IN ROLE \"{name} Owner\""),
            format!("ALTER TABLE installs OWNER TO \"{name} Owner\""),
            format!("CREATE ROLE {name}_maker CREATEROLE LOGIN"),
        ],
    ));
    let mut mighty = vec![
        (format!("{name}_super"), format!("the role {name}_super of database_url is a superuser")),
        (format!("{name}_bypass"), format!("the role {name}_bypass of database_url may bypass row-level security")),
        (format!("{name}_heir"), "may bypass row-level security".to_owned()),
        (format!("{name}%20Owner"), format!("the role \"{name} Owner\" of database_url owns the tables")),
        (format!("{name}_member"), "owns the tables".to_owned()),
    ];
    // Later ones give roles only to whoever made them.
    if block_on(version(&database)) < 160_000 {
        mighty.push((format!("{name}_maker"), "may make itself a member of the tables' owner".to_owned()));
    }
    for (role, why) in mighty {
        // Also when somebody else migrates.
        for owner in [None, Some("postgres")] {
            let complaint = refused(with_roles(&database, &role, owner), &data_dir);
            assert!(complaint.contains(&why), "{role}: {complaint}");
            for help in ["CREATE ROLE widget_registry LOGIN", "database_migration_url", "database_any_role"] {
                assert!(complaint.contains(help), "{help}: {complaint}");
            }
        }
    }
    let mut told = with_roles(&database, &format!("{name}_super"), None);
    told.env("WIDGET_REGISTRY_DATABASE_ANY_ROLE", "true");
    let server = Server::run(told, &data_dir, &[]);
    works(&server, &data_dir);
    drop(server);
    block_on(database.drop());
}

#[test]
fn one_role_migrates_and_another_serves() {
    let home = folder();
    let data_dir = home.path().join("data");
    let database = block_on(Database::create(false));
    let name = database.name.clone();
    let (owner, service) = (format!("{name}_owner"), format!("{name}_service"));
    block_on(superuser(
        None,
        &[
            format!("CREATE ROLE {owner} LOGIN"),
            format!("CREATE ROLE {service} LOGIN"),
            format!("ALTER DATABASE {name} OWNER TO {owner}"),
        ],
    ));
    // Nobody has migrated, and this role is not to.
    let complaint = refused(with_roles(&database, &service, None), &data_dir);
    assert!(complaint.contains("no version that this role can see"), "{complaint}");
    assert!(complaint.contains("database_migration_url"), "{complaint}");
    let alone = migrate(with_roles(&database, &service, None));
    assert_eq!(alone.status.code(), Some(1));
    assert!(String::from_utf8(alone.stderr).unwrap().contains("database_migration_url is not set"));

    let both = migrate(with_roles(&database, &service, Some(&owner)));
    assert!(both.status.success(), "{both:?}");
    let applied = format!("applied {} migration(s)", migrations::known_version());
    assert!(String::from_utf8(both.stdout).unwrap().starts_with(&applied));
    let server = Server::run(with_roles(&database, &service, None), &data_dir, &[]);
    works(&server, &data_dir);
    drop(server);
    // What belongs to whom, and that neither is more than it must be.
    let owners = block_on(async {
        let mut connection = database.options().connect().await.unwrap();
        let owners = "SELECT DISTINCT tableowner::text FROM pg_tables WHERE schemaname = 'public'";
        let found: Vec<String> = sqlx::query_scalar(owners).fetch_all(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        found
    });
    assert_eq!(owners, [owner.as_str()]);
    // The owner is bound by the walls, but could take them down.
    assert!(refused(with_roles(&database, &owner, None), &data_dir).contains("owns the tables"));
    // Both at once, as a single server would have it.
    drop(Server::run(with_roles(&database, &service, Some(&owner)), &data_dir, &[]));
    block_on(database.drop());
}

#[test]
fn an_old_schema_is_not_served() {
    let home = folder();
    let database = block_on(Database::create(true));
    let forget =
        "DELETE FROM refinery_schema_history WHERE version = (SELECT max(version) FROM refinery_schema_history)";
    block_on(superuser(Some(&database), &[forget.to_owned()]));
    let complaint = refused(with_roles(&database, SERVICE_ROLE, None), &home.path().join("data"));
    assert!(
        complaint.contains("the schema has version") && complaint.contains("database_migration_url"),
        "{complaint}"
    );
    block_on(database.drop());
}
