//! The SQL of calls to widgets.

use serde_json::value::RawValue;
use sqlx::Row as _;
use uuid::Uuid;

use crate::auth::AccountId;
use crate::catalogue::WidgetId;
use crate::continuations::{Bot, ContinueId, Encoding};
use crate::database::{Failure, Pool};

/// A call to a widget that was ordered, with what its token tells.
#[derive(Debug)]
pub struct Ordered {
    /// The bot that waits.
    pub bot: Bot,
    /// What the bot works on.
    pub entity_type: String,
    /// Its number.
    pub entity_id: i64,
    /// The service's own address when the bot began to wait.
    pub origin: String,
    /// How it is written.
    pub encoding: Encoding,
    /// The widget's integration.
    pub client: Option<Uuid>,
    data: Option<Vec<u8>>,
    /// The row, for errors.
    record: String,
}

impl Ordered {
    /// What the engine sends to the widget, as it came.
    ///
    /// # Errors
    ///
    /// When the row holds something else.
    pub fn data(&self) -> Result<Option<&RawValue>, Failure> {
        let parse = |bytes| serde_json::from_slice(bytes);
        self.data.as_deref().map(parse).transpose().map_err(|why| Failure::Corrupt {
            table: "continuations",
            row: self.record.clone(),
            why: format!("request_data: {why}"),
        })
    }
}

/// Whether an account may have a widget's server called in the name of the widget's integration: it has the widget installed, or it
/// is the owner's.
///
/// # Errors
///
/// When the database fails.
pub async fn may_order(pool: &Pool, account: AccountId, widget: WidgetId) -> Result<bool, Failure> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM installs WHERE account_id = $1 AND widget_id = $2) \
         OR EXISTS (SELECT FROM widgets WHERE id = $2 AND owner_account_id = $1)",
    )
    .bind(account.get())
    .bind(widget.0)
    .fetch_one(&mut *pool.begin_for(account).await?)
    .await?)
}

/// The call that a record ordered; `None` when it ordered none, or waits no more.
///
/// # Errors
///
/// When the database fails.
pub async fn ordered_call(pool: &Pool, account: AccountId, id: ContinueId) -> Result<Option<Ordered>, Failure> {
    let row = sqlx::query(
        "SELECT c.bot_type, c.bot_id, c.entity_type, c.entity_id, c.origin, c.request_data, c.request_encoding, w.client_uuid \
         FROM continuations c JOIN widgets w ON w.id = c.widget_id \
         WHERE c.account_id = $1 AND c.id = $2 AND c.state = 'waiting' AND c.expires_at > now() AND c.request_url IS NOT NULL",
    )
    .bind(account.get())
    .bind(id.0)
    .fetch_optional(&mut *pool.begin_for(account).await?)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let record = format!("{account}, {id}");
    let corrupt = |why: String| Failure::Corrupt { table: "continuations", row: record.clone(), why };
    let (kind, encoding): (&str, &str) = (row.try_get("bot_type")?, row.try_get("request_encoding")?);
    Ok(Some(Ordered {
        bot: Bot { kind: kind.parse().map_err(corrupt)?, id: row.try_get("bot_id")? },
        entity_type: row.try_get("entity_type")?,
        entity_id: row.try_get("entity_id")?,
        origin: row.try_get("origin")?,
        encoding: encoding.parse().map_err(corrupt)?,
        client: row.try_get("client_uuid")?,
        data: row.try_get("request_data")?,
        record,
    }))
}
