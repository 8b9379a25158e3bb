//! The SQL of what accounts have installed, without settings, a function per statement.

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::auth::AccountId;
use crate::catalogue::WidgetId;
use crate::database::{Failure, Lone, Pool};
use crate::installs::placements::{Placed, Placements};

/// Every install of an account. An account has few widgets beside those that there are; they come as one row.
///
/// # Errors
///
/// When the database fails.
pub(super) async fn placements(pool: &Pool, account: AccountId) -> Result<Placements, Failure> {
    let row = sqlx::query(
        "SELECT array_agg(widget_id) AS widgets, array_agg(pipeline_id) AS pipelines FROM installs WHERE account_id = $1",
    )
    .bind(account.get())
    .fetch_one(&mut *pool.begin_for(account).await?)
    .await?;
    read_placements(&row)
}

fn read_placements(row: &PgRow) -> Result<Placements, Failure> {
    let widgets: Option<Vec<i64>> = row.try_get("widgets")?;
    let pipelines: Option<Vec<Option<i64>>> = row.try_get("pipelines")?;
    let both = widgets.unwrap_or_default().into_iter().zip(pipelines.unwrap_or_default());
    Ok(Placements::of(both.map(|(widget, pipeline_id)| (WidgetId(widget), Placed { pipeline_id })).collect()))
}

/// An account's install of one widget.
///
/// # Errors
///
/// When the database fails.
pub(super) async fn placement(pool: &Pool, account: AccountId, widget: WidgetId) -> Result<Option<Placed>, Failure> {
    let pipeline = sqlx::query_scalar("SELECT pipeline_id FROM installs WHERE account_id = $1 AND widget_id = $2")
        .bind(account.get())
        .bind(widget.0)
        .fetch_optional(&mut *pool.begin_for(account).await?)
        .await?;
    Ok(pipeline.map(|pipeline_id| Placed { pipeline_id }))
}

/// [`placements`] of several accounts, in their order.
///
/// # Errors
///
/// When the database fails.
pub(super) async fn placements_together(
    connection: &mut Lone,
    accounts: &[AccountId],
) -> Result<Vec<Placements>, Failure> {
    let accounts: Vec<i64> = accounts.iter().map(|account| account.get()).collect();
    let rows = sqlx::query("SELECT widgets, pipelines FROM installs_of($1)").bind(accounts);
    rows.fetch_all(&mut **connection).await?.iter().map(read_placements).collect()
}

/// [`placement`] of several accounts, in their order.
///
/// # Errors
///
/// When the database fails.
pub(super) async fn placement_together(
    connection: &mut Lone,
    questions: &[(AccountId, WidgetId)],
) -> Result<Vec<Option<Placed>>, Failure> {
    let (accounts, widgets): (Vec<i64>, Vec<i64>) =
        questions.iter().map(|(account, widget)| (account.get(), widget.0)).unzip();
    let rows = sqlx::query_as::<_, (bool, Option<i64>)>("SELECT is_installed, pipeline FROM installs_at($1, $2)");
    let rows = rows.bind(accounts).bind(widgets).fetch_all(&mut **connection).await?;
    let placed = |(is_installed, pipeline_id): (bool, _)| is_installed.then_some(Placed { pipeline_id });
    Ok(rows.into_iter().map(placed).collect())
}
