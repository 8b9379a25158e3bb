//! Rows that are older than sealing: read as they are, sealed by the next start, and told by nobody meanwhile.

use serde_json::Value;
use sqlx::Connection as _;
use uuid::Uuid;

use super::walk::{Walk, ask};
use super::world::{Shows, World};
use crate::program::server::Server;
use crate::support::Claims;

/// Their secrets. They stand in the tables and the write-ahead log, because the test writes them there.
pub const KIND: &str = "row from before sealing";

/// What was written.
pub struct OldRows {
    code: String,
    client: Uuid,
    secret: String,
    settings: String,
}

impl OldRows {
    /// Writes the rows of a walk as they were before there was sealing. The database's log is quiet about it: what it tells of
    /// these secrets later, the service has told.
    pub async fn write(walk: &Walk<'_>) -> Self {
        let (world, client) = (walk.world, walk.client);
        let new = || world.secrets.word(KIND);
        let (pass, login, password) = (new(), new(), new());
        let settings = format!(
            r#"{{"{}":"{}","password":"{pass}","logins":{{"7":{{"login":"{login}","password":"{password}"}}}}}}"#,
            world.name, world.open
        );
        let (secret, old, hook) = (new() + &new(), new() + &new(), new());
        let mut connection = world.connect().await;
        for quiet in ["SET log_statement = 'none'", "SET log_min_duration_statement = -1"] {
            sqlx::query(quiet).execute(&mut connection).await.unwrap();
        }
        let installs =
            "UPDATE installs SET settings = $2::json, sealed = NULL WHERE account_id = $1 AND settings IS NOT NULL";
        let query = sqlx::query(installs).bind(world.account).bind(&settings);
        assert_eq!(query.execute(&mut connection).await.unwrap().rows_affected(), 1);
        let integrations =
            "UPDATE integrations SET secret = $2, old_secret = $3, is_sealed = false WHERE client_uuid = $1";
        let query = sqlx::query(integrations).bind(client).bind(secret.as_bytes()).bind(old.as_bytes());
        assert_eq!(query.execute(&mut connection).await.unwrap().rows_affected(), 1);
        let hooks = "UPDATE webhook_secrets SET secret = $2, previous = NULL, previous_until = NULL, is_sealed = false WHERE account_id = $1";
        let query = sqlx::query(hooks).bind(world.account).bind(hook.as_bytes());
        assert_eq!(query.execute(&mut connection).await.unwrap().rows_affected(), 1);
        connection.close().await.unwrap();
        Self { code: walk.code.clone(), client, secret, settings }
    }

    /// Reads and uses them, and waits until all are sealed.
    pub async fn read(&self, world: &World, server: &Server) {
        let admin = world.caller(server, &Claims::admin(world.account, 7).client(self.client));
        let path = format!("/api/v4/widgets/{}", self.code);
        let shown = ask(world, &admin, "GET", &path, "", Shows::Secret).await;
        assert_eq!(shown.json()["settings"], serde_json::from_str::<Value>(&self.settings).unwrap());
        let form = format!("client_id={}&client_secret={}&grant_type=client_credentials", self.client, self.secret);
        let kind = "application/x-www-form-urlencoded";
        let given = admin.post_bytes("/oauth2/access_token", kind, form.into_bytes()).await;
        assert_eq!(given.status, 200, "{given:?}");
        world.see(None, &given, Shows::Secret);
        let mut connection = world.connect().await;
        let count = "SELECT (SELECT count(*) FROM installs WHERE sealed IS NULL AND settings IS NOT NULL) \
                     + (SELECT count(*) FROM integrations WHERE secret IS NOT NULL AND NOT is_sealed) \
                     + (SELECT count(*) FROM webhook_secrets WHERE NOT is_sealed)";
        while sqlx::query_scalar::<_, i64>(count).fetch_one(&mut connection).await.unwrap() > 0 {}
        connection.close().await.unwrap();
    }
}
