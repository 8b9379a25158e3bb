//! The embedded database: the service is not its superuser, also where an older program made it.

use nix::sys::signal::Signal;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use widget_registry::data_dir::DataDir;
use widget_registry::database::embedded::{Cluster, Durability, Options, SERVICE_ROLE};
use widget_registry::database::migrations;

use crate::program::server::{Server, block_on, folder};
use crate::support::Claims;

#[test]
fn the_service_is_no_superuser_of_a_database_that_an_older_program_made() {
    let home = folder();
    let data_dir = home.path().join("data");
    let socket = {
        // As an older program left it: made and migrated by the superuser alone.
        let folder = DataDir::open(&data_dir).unwrap();
        let socket = folder.socket_dir();
        block_on(async {
            let cluster = Cluster::start(Options {
                cluster_dir: folder.cluster_dir(),
                socket_dir: folder.socket_dir(),
                bin_dir: None,
                durability: Durability::Throwaway,
                max_connections: 20,
                log: folder.database_log(),
            });
            let cluster = cluster.await.unwrap();
            migrations::run(&cluster.connect_options(), None).await.unwrap();
            cluster.stop().await.unwrap();
        });
        socket
    };
    let mut server = Server::start(&data_dir, &[]);
    block_on(async {
        let user = server.caller(&data_dir, &Claims::user(1, 8));
        assert_eq!(user.get("/api/v4/widgets").await.status, 200);
        let superuser =
            PgConnectOptions::new_without_pgpass().socket(&socket).username("postgres").database("postgres");
        let mut connection = PgConnection::connect_with(&superuser).await.unwrap();
        let roles = "SELECT DISTINCT usename::text FROM pg_stat_activity \
             WHERE application_name = 'widget-registry' AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
        let roles: Vec<String> = sqlx::query_scalar(roles).fetch_all(&mut connection).await.unwrap();
        assert_eq!(roles, [SERVICE_ROLE]);
        let attributes = "SELECT rolcanlogin, rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication \
             FROM pg_roles WHERE rolname = $1";
        let attributes: (bool, bool) =
            sqlx::query_as(attributes).bind(SERVICE_ROLE).fetch_one(&mut connection).await.unwrap();
        assert_eq!(attributes, (true, false));
        connection.close().await.unwrap();
    });
    server.signal(Signal::SIGTERM);
    assert!(server.wait().success());
}
