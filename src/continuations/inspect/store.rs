//! The SQL of the inspector.

use sqlx::Row as _;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;

use crate::archive::WidgetCode;
use crate::auth::AccountId;
use crate::continuations::{Bot, BotType, ContinueId, State};
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

/// A record without what the widget sent.
#[derive(Debug)]
pub struct Summary {
    /// Its number.
    pub id: ContinueId,
    /// The bot that waits.
    pub bot: Bot,
    /// The widget that it waits for.
    pub widget_code: String,
    /// What the bot works on.
    pub entity_type: String,
    /// Its number.
    pub entity_id: i64,
    /// The engine's own name for this wait.
    pub reference: Option<String>,
    /// Where it stands now: past its deadline a record counts as expired.
    pub state: State,
    /// When the bot began to wait.
    pub opened_at: OffsetDateTime,
    /// The deadline.
    pub expires_at: OffsetDateTime,
    /// When `waiting` was left.
    pub closed_at: Option<OffsetDateTime>,
    /// Who ended the waiting.
    pub closed_by_user_id: Option<i64>,
    /// Why it failed.
    pub failure: Option<String>,
}

/// The account's records, the newest first.
///
/// # Errors
///
/// When the database fails.
pub async fn list(pool: &Pool, account: AccountId, filter: &Filter, limit: i64) -> Result<Vec<Summary>, Failure> {
    let rows = sqlx::query(
        "SELECT c.id, c.bot_type, c.bot_id, w.code, c.entity_type, c.entity_id, c.reference, \
           CASE WHEN c.state = 'waiting' AND c.expires_at <= now() THEN 'expired' ELSE c.state END AS state, \
           c.opened_at, c.expires_at, c.closed_at, c.closed_by_user_id, c.failure \
         FROM continuations c JOIN widgets w ON w.id = c.widget_id \
         WHERE c.account_id = $1 AND c.id < $2 AND ($3::text IS NULL OR c.state = $3) AND ($4::text IS NULL OR c.bot_type = $4) \
         AND ($5::bigint IS NULL OR c.bot_id = $5) AND ($6::text IS NULL OR w.code = $6) \
         AND ($7::bigint IS NULL OR c.opened_at <= now() - make_interval(secs => $7::double precision)) \
         ORDER BY c.id DESC LIMIT $8",
    )
    .bind(account.get())
    .bind(filter.before.map_or(i64::MAX, |id| id.0))
    .bind(filter.state.map(State::as_str))
    .bind(filter.bot_type.map(BotType::as_str))
    .bind(filter.bot_id)
    .bind(filter.widget.as_ref().map(WidgetCode::as_str))
    .bind(filter.older_than)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    rows.iter().map(summary).collect()
}

fn summary(row: &PgRow) -> Result<Summary, Failure> {
    let id: i64 = row.try_get("id")?;
    let corrupt = |why: String| Failure::Corrupt { table: "continuations", row: id.to_string(), why };
    let (kind, state): (&str, &str) = (row.try_get("bot_type")?, row.try_get("state")?);
    Ok(Summary {
        id: ContinueId(id),
        bot: Bot { kind: kind.parse().map_err(corrupt)?, id: row.try_get("bot_id")? },
        widget_code: row.try_get("code")?,
        entity_type: row.try_get("entity_type")?,
        entity_id: row.try_get("entity_id")?,
        reference: row.try_get("reference")?,
        state: state.parse().map_err(corrupt)?,
        opened_at: row.try_get("opened_at")?,
        expires_at: row.try_get("expires_at")?,
        closed_at: row.try_get("closed_at")?,
        closed_by_user_id: row.try_get("closed_by_user_id")?,
        failure: row.try_get("failure")?,
    })
}
