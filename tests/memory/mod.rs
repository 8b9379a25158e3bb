//! What is in memory is what is in the database: at once in the server that changed it, within a second in another.

mod conditional;
mod following;
mod installs;
mod model;
mod recent;
mod two_servers;

use tokio::io::AsyncWriteExt as _;

use crate::support::{Answer, Raw, TestApp};

/// The codes of a list's widgets.
fn codes(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let page = answer.json();
    let widgets = page["_embedded"]["widgets"].as_array().unwrap();
    widgets.iter().map(|widget| widget["code"].as_str().unwrap().to_owned()).collect()
}

/// Sets a widget's rating and notes it, as a transaction of another server does.
async fn rate(transaction: &mut sqlx::PgConnection, id: i64, tenths: i16) {
    for statement in [
        "UPDATE widgets SET rating_tenths = $2 WHERE id = $1",
        "INSERT INTO catalogue_changes (widget_id) SELECT $1 WHERE $2::smallint IS NOT NULL",
    ] {
        sqlx::query(statement).bind(id).bind(tenths).execute(&mut *transaction).await.unwrap();
    }
}

async fn rating(app: &TestApp, code: &str) -> String {
    let answer = app.user().get(&format!("/api/v4/widgets/{code}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["rating"].as_str().unwrap().to_owned()
}

/// Sends a request and goes away, at another moment of its transaction in every round.
async fn ask_and_leave(app: &TestApp, request: &Raw, round: usize) {
    let mut stream = app.connect().await;
    stream.write_all(&request.bytes()).await.unwrap();
    for _ in 0..round * 20 {
        tokio::task::yield_now().await;
    }
    stream.set_zero_linger().unwrap();
}

/// How many changes an account's audit log has: what one request changes and another changes back is told by it.
async fn audited(app: &TestApp, account: i64) -> i64 {
    let query = sqlx::query_scalar("SELECT count(*) FROM audit_entries WHERE account_id = $1");
    query.bind(account).fetch_one(&app.pool).await.unwrap()
}
