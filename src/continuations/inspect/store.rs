//! The SQL of the inspector.

use crate::archive::WidgetCode;
use crate::auth::AccountId;
use crate::continuations::store::{Continuation, continuation, record_columns};
use crate::continuations::{BotType, ContinueId, State};
use crate::database::{Failure, Pool};

/// Which records are wanted; what is `None` does not matter.
#[derive(Debug, Default)]
pub struct Filter {
    /// Where they stand.
    pub state: Option<State>,
    /// Which engine runs their bot.
    pub bot_type: Option<BotType>,
    /// Their bot's number.
    pub bot_id: Option<i64>,
    /// The widget that they wait for.
    pub widget: Option<WidgetCode>,
    /// Seconds that they have been there at least.
    pub older_than: Option<i64>,
    /// Only those with a lower number.
    pub before: Option<ContinueId>,
}

/// The account's records, the newest first, without what the widget sent.
///
/// # Errors
///
/// When the database fails.
pub async fn list(pool: &Pool, account: AccountId, filter: &Filter, limit: i64) -> Result<Vec<Continuation>, Failure> {
    let rows = sqlx::query(
        concat!(
        "SELECT ", record_columns!(), ", NULL::bytea AS data, NULL::bytea AS execute_handlers \
         FROM continuations c JOIN widgets w ON w.id = c.widget_id \
         WHERE c.account_id = $1 AND c.id < $2 AND ($3::text IS NULL OR c.state = $3) AND ($4::text IS NULL OR c.bot_type = $4) \
         AND ($5::bigint IS NULL OR c.bot_id = $5) AND ($6::text IS NULL OR w.code = $6) \
         AND ($7::bigint IS NULL OR c.opened_at <= now() - make_interval(secs => $7::double precision)) \
         ORDER BY c.id DESC LIMIT $8"
    ))
    .bind(account.get())
    .bind(filter.before.map_or(i64::MAX, |id| id.0))
    .bind(filter.state.map(State::as_str))
    .bind(filter.bot_type.map(BotType::as_str))
    .bind(filter.bot_id)
    .bind(filter.widget.as_ref().map(WidgetCode::as_str))
    .bind(filter.older_than)
    .bind(limit)
    .fetch_all(&mut *pool.begin_for(account).await?)
    .await?;
    rows.iter().map(continuation).collect()
}
