//! The SQL of installs, a function per statement. Every statement names the account, but for the one that counts for a widget's owner.

use serde_json::value::RawValue;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;

use super::settings::Settings;
use crate::archive::WidgetCode;
use crate::auth::{AccountId, Caller};
use crate::catalogue::store::{widget, widget_columns};
use crate::catalogue::visibility::store::seen;
use crate::catalogue::{Widget, WidgetId};
use crate::database::{Connection, Failure, Pool};

/// A widget in an account.
#[derive(Debug)]
pub struct Install {
    /// The pipeline in which it is a lead source.
    pub pipeline_id: Option<i64>,
    /// Its settings; `None` where they were not asked for.
    pub settings: Option<Box<RawValue>>,
}

/// A widget as an account sees it.
#[derive(Debug)]
pub struct Sighting {
    /// The widget.
    pub widget: Widget,
    /// The account's install of it.
    pub install: Option<Install>,
}

/// A page of the widgets that a caller sees, ascending by id: public ones, those installed in the account, and the caller's own.
///
/// Each of the three parts is read by its index and only as far as the page's end.
///
/// # Errors
///
/// When the database fails.
pub async fn visible_page(pool: &Pool, caller: &Caller, offset: i64, count: i64) -> Result<Vec<Sighting>, Failure> {
    let rows = sqlx::query(concat!(
        "WITH visible AS ( \
           (SELECT id FROM widgets WHERE visibility = 'public' AND current_version IS NOT NULL ORDER BY id LIMIT $3 + $4) \
           UNION \
           (SELECT w.id FROM installs i JOIN widgets w ON w.id = i.widget_id AND w.current_version IS NOT NULL \
            WHERE i.account_id = $1 ORDER BY i.widget_id LIMIT $3 + $4) \
           UNION \
           (SELECT id FROM widgets WHERE owner_account_id = $1 AND owner_user_id = $2 AND current_version IS NOT NULL \
            ORDER BY id LIMIT $3 + $4) \
         ), page AS (SELECT id FROM visible ORDER BY id OFFSET $3 LIMIT $4) \
         SELECT ",
        widget_columns!(),
        ", i.account_id IS NOT NULL AS installed, i.pipeline_id, NULL AS settings \
         FROM page JOIN widgets w ON w.id = page.id \
         JOIN widget_versions v ON v.widget_id = w.id AND v.version = w.current_version \
         LEFT JOIN installs i ON i.account_id = $1 AND i.widget_id = w.id \
         ORDER BY w.id"
    ))
    .bind(caller.account.get())
    .bind(caller.user.get())
    .bind(offset)
    .bind(count)
    .fetch_all(&mut *pool.begin_for(caller.account).await?)
    .await?;
    rows.iter().map(sighting).collect()
}

/// A widget by its code, when the caller sees it.
///
/// # Errors
///
/// When the database fails.
pub async fn visible(
    connection: &mut Connection,
    caller: &Caller,
    code: &WidgetCode,
) -> Result<Option<Sighting>, Failure> {
    let row = sqlx::query(concat!(
        "SELECT ",
        widget_columns!(),
        ", i.account_id IS NOT NULL AS installed, i.pipeline_id, i.settings::text AS settings \
         FROM widgets w \
         JOIN widget_versions v ON v.widget_id = w.id AND v.version = w.current_version \
         LEFT JOIN installs i ON i.account_id = $1 AND i.widget_id = w.id \
         WHERE w.code = $3 AND ",
        seen!("")
    ))
    .bind(caller.account.get())
    .bind(caller.user.get())
    .bind(code.as_str())
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(sighting).transpose()
}

fn sighting(row: &PgRow) -> Result<Sighting, Failure> {
    let widget = widget(row)?;
    if !row.try_get::<bool, _>("installed")? {
        return Ok(Sighting { widget, install: None });
    }
    let settings: Option<String> = row.try_get("settings")?;
    let settings = settings.map(|settings| stored_settings(settings, widget.code.as_str())).transpose()?;
    Ok(Sighting { widget, install: Some(Install { pipeline_id: row.try_get("pipeline_id")?, settings }) })
}

/// Installs a widget that the caller sees, or replaces the settings of an install. Returns the install's pipeline, or `None`
/// when the caller does not see the widget any more.
///
/// Visibility is judged in the same statement, under two locks: one that whoever hides a widget has to wait for (`FOR UPDATE`;
/// publishing, which hides nothing, takes a weaker one and waits for nobody), and one that an uninstall has to wait for: otherwise an
/// install could bring back a widget that only the install just removed had shown. A row that was inserted and not replaced, which
/// nobody has locked yet (`xmax` is 0), is one more install of the widget, and is noted as that.
///
/// # Errors
///
/// When the database fails.
pub async fn install(
    connection: &mut Connection,
    caller: &Caller,
    id: WidgetId,
    settings: &Settings,
) -> Result<Option<Option<i64>>, Failure> {
    let pipeline = sqlx::query_scalar(concat!(
        "WITH done AS ( \
           INSERT INTO installs (account_id, widget_id, settings, installed_by_user_id) \
           SELECT $1, w.id, $4::text::json, $2 FROM widgets w \
           WHERE w.id = $3 AND ",
        seen!(" FOR UPDATE"),
        " FOR KEY SHARE OF w \
           ON CONFLICT ON CONSTRAINT installs_pkey \
           DO UPDATE SET settings = excluded.settings, updated_at = excluded.updated_at \
           RETURNING account_id, widget_id, pipeline_id, xmax = 0 AS is_new \
         ), counted AS ( \
           INSERT INTO install_changes (account_id, widget_id, change) \
           SELECT account_id, widget_id, 1 FROM done WHERE is_new \
         ) SELECT pipeline_id FROM done"
    ))
    .bind(caller.account.get())
    .bind(caller.user.get())
    .bind(id.0)
    .bind(settings.as_raw().get())
    .fetch_optional(connection)
    .await?;
    Ok(pipeline)
}

/// Removes an install with its settings, and notes that the widget has one install less; `false` when there was none.
///
/// # Errors
///
/// When the database fails.
pub async fn uninstall(pool: &Pool, account: AccountId, code: &WidgetCode) -> Result<bool, Failure> {
    let mut transaction = pool.begin_for(account).await?;
    let done = sqlx::query(
        "WITH gone AS ( \
           DELETE FROM installs i USING widgets w WHERE i.account_id = $1 AND i.widget_id = w.id AND w.code = $2 \
           RETURNING i.account_id, i.widget_id \
         ) INSERT INTO install_changes (account_id, widget_id, change) SELECT account_id, widget_id, -1 FROM gone",
    )
    .bind(account.get())
    .bind(code.as_str())
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(done.rows_affected() == 1)
}

/// What came of setting a lead source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeadSource {
    /// It is set.
    Set,
    /// The widget is not installed in the account.
    NotInstalled,
    /// The current version of the widget cannot be a lead source.
    NotPossible,
}

/// Sets the pipeline in which an installed widget is a lead source; `None` clears it, also when the current version can be
/// none any more.
///
/// # Errors
///
/// When the database fails.
pub async fn set_lead_source(
    pool: &Pool,
    account: AccountId,
    code: &WidgetCode,
    pipeline: Option<i64>,
) -> Result<LeadSource, Failure> {
    let mut transaction = pool.begin_for(account).await?;
    let row = sqlx::query(
        "WITH target AS ( \
           SELECT w.id, v.is_lead_source FROM widgets w \
           JOIN widget_versions v ON v.widget_id = w.id AND v.version = w.current_version \
           JOIN installs i ON i.account_id = $1 AND i.widget_id = w.id WHERE w.code = $2 \
         ), done AS ( \
           UPDATE installs i SET pipeline_id = $3, updated_at = now() FROM target t \
           WHERE i.account_id = $1 AND i.widget_id = t.id AND (t.is_lead_source OR $3 IS NULL) RETURNING 1 \
         ) SELECT EXISTS (SELECT FROM target) AS installed, EXISTS (SELECT FROM done) AS done",
    )
    .bind(account.get())
    .bind(code.as_str())
    .bind(pipeline)
    .fetch_one(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(match (row.try_get("installed")?, row.try_get("done")?) {
        (_, true) => LeadSource::Set,
        (false, false) => LeadSource::NotInstalled,
        (true, false) => LeadSource::NotPossible,
    })
}

/// The settings of every account that has a widget installed, in the order of accounts, at most `count` after one.
///
/// The one statement that names no account: it serves the widget's owner, who learns numbers and no settings.
///
/// # Errors
///
/// When the database fails.
pub async fn settings_of_accounts(
    pool: &Pool,
    widget: WidgetId,
    after: i64,
    count: i64,
) -> Result<Vec<(i64, Box<RawValue>)>, Failure> {
    let rows = sqlx::query(
        "SELECT account_id, settings::text AS settings FROM installs \
         WHERE widget_id = $1 AND account_id > $2 ORDER BY account_id LIMIT $3",
    )
    .bind(widget.0)
    .bind(after)
    .bind(count)
    .fetch_all(&mut *pool.begin_across_accounts().await?)
    .await?;
    rows.iter()
        .map(|row| {
            let account: i64 = row.try_get("account_id")?;
            Ok((account, stored_settings(row.try_get("settings")?, &account.to_string())?))
        })
        .collect()
}

fn stored_settings(text: String, row: &str) -> Result<Box<RawValue>, Failure> {
    let corrupt = |why| Failure::Corrupt { table: "installs", row: row.to_owned(), why: format!("settings: {why}") };
    RawValue::from_string(text).map_err(corrupt)
}

/// A widget in an account, as the account's own list of installs shows it.
#[derive(Debug)]
pub struct Installed {
    /// The widget in its current version.
    pub widget: Widget,
    /// The settings.
    pub settings: Box<RawValue>,
    /// The pipeline in which it is a lead source.
    pub pipeline_id: Option<i64>,
    /// Who installed it first.
    pub installed_by_user_id: i64,
    /// When it was installed first.
    pub installed_at: OffsetDateTime,
    /// When settings or lead source changed last.
    pub updated_at: OffsetDateTime,
}

/// The account's installs by widget id, at most `count` after one; those of widgets without a current version are left out.
///
/// # Errors
///
/// When the database fails.
pub async fn list(pool: &Pool, account: AccountId, after: i64, count: i64) -> Result<Vec<Installed>, Failure> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        widget_columns!(),
        ", i.settings::text AS settings, i.pipeline_id, i.installed_by_user_id, i.installed_at, i.updated_at \
         FROM installs i JOIN widgets w ON w.id = i.widget_id \
         JOIN widget_versions v ON v.widget_id = w.id AND v.version = w.current_version \
         WHERE i.account_id = $1 AND i.widget_id > $2 ORDER BY i.widget_id LIMIT $3"
    ))
    .bind(account.get())
    .bind(after)
    .bind(count)
    .fetch_all(&mut *pool.begin_for(account).await?)
    .await?;
    rows.iter()
        .map(|row| {
            let widget = widget(row)?;
            Ok(Installed {
                settings: stored_settings(row.try_get("settings")?, widget.code.as_str())?,
                widget,
                pipeline_id: row.try_get("pipeline_id")?,
                installed_by_user_id: row.try_get("installed_by_user_id")?,
                installed_at: row.try_get("installed_at")?,
                updated_at: row.try_get("updated_at")?,
            })
        })
        .collect()
}
