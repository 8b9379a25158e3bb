//! The SQL of installs, a function per statement. Every statement names the account, but for the one that counts for a widget's owner.
//!
//! What is asked for most is a function of the database's (`migrations/V19__single_calls.sql`), called by a statement that is alone in its
//! transaction.

use serde_json::value::RawValue;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;

use super::sealed::Stored;
use crate::archive::WidgetCode;
use crate::audit::store::bind;
use crate::audit::{Action, Actor, Change};
use crate::auth::{AccountId, Caller};
use crate::catalogue::store::{widget, widget_columns};
use crate::catalogue::{Widget, WidgetId};
use crate::database::{Connection, Failure, Lone, Pool};

/// A widget in an account.
#[derive(Debug)]
pub struct Install {
    /// The pipeline in which it is a lead source.
    pub pipeline_id: Option<i64>,
    /// Its settings; `None` where they were not asked for.
    pub settings: Option<Stored>,
}

/// A widget as an account sees it.
#[derive(Debug)]
pub struct Sighting {
    /// The widget.
    pub widget: Widget,
    /// The account's install of it.
    pub install: Option<Install>,
}

/// A widget by its code, when the caller sees it.
///
/// # Errors
///
/// When the database fails.
pub async fn visible(pool: &Pool, caller: &Caller, code: &WidgetCode) -> Result<Option<Sighting>, Failure> {
    let row = sqlx::query(
        "SELECT id, code, rating_tenths, is_crm_template, client_uuid, version, template, is_lead_source, is_work_with_dp, \
         is_installed, pipeline_id, settings, sealed FROM widget_seen_by($1::bigint, $2::bigint, $3::text)",
    )
    .bind(caller.account.get())
    .bind(caller.user.get())
    .bind(code.as_str())
    .fetch_optional(&mut *pool.alone().await?)
    .await?;
    row.as_ref().map(sighting).transpose()
}

fn sighting(row: &PgRow) -> Result<Sighting, Failure> {
    let widget = widget(row)?;
    if !row.try_get::<bool, _>("is_installed")? {
        return Ok(Sighting { widget, install: None });
    }
    let is_asked_for = row.try_get::<Option<&str>, _>("settings")?.is_some();
    let settings = is_asked_for.then(|| stored_settings(row, widget.code.as_str())).transpose()?;
    Ok(Sighting { widget, install: Some(Install { pipeline_id: row.try_get("pipeline_id")?, settings }) })
}

/// Installs a widget that the caller sees, or replaces the settings of an install, and commits that. Returns the install's pipeline, or
/// `None` when the caller does not see the widget any more: visibility is judged in the statement that installs. An install that is new is
/// noted as one more. `change` is what the audit log says of it.
///
/// # Errors
///
/// When the database fails.
pub fn install(
    mut connection: Lone,
    caller: &Caller,
    id: WidgetId,
    settings: &Stored,
    (actor, change): (&Actor, &Change<'_>),
) -> impl Future<Output = Result<Option<Option<i64>>, Failure>> + Send + use<> {
    let query = sqlx::query(
        "SELECT pipeline FROM install_widget($6::bigint, $7::bigint, $8::bigint, $9::text::json, $10::integer, \
         $1::bigint, $2::bigint, $3::uuid, $4::text, $5::text, $11::text, $12::text, $13::text, $14::text::json)",
    );
    let query = bind(query, actor)
        .bind(caller.account.get())
        .bind(caller.user.get())
        .bind(id.0)
        .bind(settings.text.get())
        .bind(settings.sealed)
        .bind(change.action().as_str())
        .bind(Action::SettingsChanged.as_str())
        .bind(change.subject())
        .bind(change.details());
    async move {
        let row = query.fetch_optional(&mut *connection).await?;
        Ok(row.map(|row| row.try_get("pipeline")).transpose()?)
    }
}

/// Removes an install with its settings, notes that the widget has one install less, and commits that; returns the widget, `None` when it
/// was not installed.
///
/// # Errors
///
/// When the database fails.
pub fn uninstall(
    mut connection: Lone,
    account: AccountId,
    code: &WidgetCode,
    actor: &Actor,
) -> impl Future<Output = Result<Option<WidgetId>, Failure>> + Send + use<> {
    let change = Change::WidgetUninstalled { widget: code.as_str(), forced: false };
    let query = sqlx::query(
        "SELECT uninstall_widget($6::bigint, $7::text, $1::bigint, $2::bigint, $3::uuid, $4::text, $5::text, \
         $8::text, $9::text, $10::text::json) AS widget",
    );
    let query = bind(query, actor).bind(account.get()).bind(code.as_str());
    let query = query.bind(change.action().as_str()).bind(change.subject()).bind(change.details());
    async move { Ok(query.fetch_one(&mut *connection).await?.try_get::<Option<i64>, _>("widget")?.map(WidgetId)) }
}

/// What came of setting a lead source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeadSource {
    /// It is set for this widget.
    Set(WidgetId),
    /// The widget is not installed in the account.
    NotInstalled,
    /// The current version of the widget cannot be a lead source.
    NotPossible,
}

/// Sets the pipeline in which an installed widget is a lead source, and commits that; `None` clears it, also when the current version can
/// be none any more.
///
/// # Errors
///
/// When the database fails.
pub fn set_lead_source(
    mut connection: Lone,
    account: AccountId,
    code: &WidgetCode,
    pipeline: Option<i64>,
    actor: &Actor,
) -> impl Future<Output = Result<LeadSource, Failure>> + Send + use<> {
    let change = Change::LeadSourceChanged { widget: code.as_str(), pipeline_id: pipeline };
    let query = sqlx::query(
        "SELECT is_installed, widget FROM set_lead_source($6::bigint, $7::text, $8::bigint, \
         $1::bigint, $2::bigint, $3::uuid, $4::text, $5::text, $9::text, $10::text, $11::text::json)",
    );
    let query = bind(query, actor).bind(account.get()).bind(code.as_str()).bind(pipeline);
    let query = query.bind(change.action().as_str()).bind(change.subject()).bind(change.details());
    async move {
        let row = query.fetch_one(&mut *connection).await?;
        Ok(match (row.try_get("is_installed")?, row.try_get("widget")?) {
            (_, Some(widget)) => LeadSource::Set(WidgetId(widget)),
            (false, None) => LeadSource::NotInstalled,
            (true, None) => LeadSource::NotPossible,
        })
    }
}

/// The settings of every account that has a widget installed, in the order of accounts, at most `count` after one; sealed as they are.
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
) -> Result<Vec<(AccountId, Stored)>, Failure> {
    let rows = sqlx::query(
        "SELECT account_id, settings::text AS settings, sealed FROM installs \
         WHERE widget_id = $1 AND account_id > $2 ORDER BY account_id LIMIT $3",
    )
    .bind(widget.0)
    .bind(after)
    .bind(count)
    .fetch_all(&mut *pool.begin_across_accounts().await?)
    .await?;
    rows.iter()
        .map(|row| {
            let account = account(row.try_get("account_id")?)?;
            Ok((account, stored_settings(row, &account.to_string())?))
        })
        .collect()
}

fn account(id: i64) -> Result<AccountId, Failure> {
    let corrupt = || Failure::Corrupt { table: "installs", row: id.to_string(), why: "account_id: no id".to_owned() };
    AccountId::new(id).ok_or_else(corrupt)
}

fn stored_settings(row: &PgRow, name: &str) -> Result<Stored, Failure> {
    let corrupt = |_| Failure::Corrupt { table: "installs", row: name.to_owned(), why: "settings: no JSON".to_owned() };
    let text = RawValue::from_string(row.try_get("settings")?).map_err(corrupt)?;
    Ok(Stored { text, sealed: row.try_get("sealed")? })
}

/// A widget in an account, as the account's own list of installs shows it.
#[derive(Debug)]
pub struct Installed {
    /// The widget in its current version.
    pub widget: Widget,
    /// The settings.
    pub settings: Stored,
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
        ", i.settings::text AS settings, i.sealed, i.pipeline_id, i.installed_by_user_id, i.installed_at, i.updated_at \
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
                settings: stored_settings(row, widget.code.as_str())?,
                widget,
                pipeline_id: row.try_get("pipeline_id")?,
                installed_by_user_id: row.try_get("installed_by_user_id")?,
                installed_at: row.try_get("installed_at")?,
                updated_at: row.try_get("updated_at")?,
            })
        })
        .collect()
}

/// The first account after one that has installs which were never sealed; `None` when there is none.
///
/// # Errors
///
/// When the database fails.
pub async fn account_with_unsealed(pool: &Pool, after: i64) -> Result<Option<AccountId>, Failure> {
    let found: Option<i64> = sqlx::query_scalar(
        "SELECT account_id FROM installs WHERE sealed IS NULL AND account_id > $1 ORDER BY account_id LIMIT 1",
    )
    .bind(after)
    .fetch_optional(&mut *pool.begin_across_accounts().await?)
    .await?;
    found.map(account).transpose()
}

/// The settings of the account's installs by widget id, at most `count` after one; of those only that were never sealed, when that is
/// asked for. Nobody else changes them until the transaction ends.
///
/// # Errors
///
/// When the database fails.
pub async fn lock_settings(
    connection: &mut Connection,
    account: AccountId,
    only_unsealed: bool,
    after: i64,
    count: i64,
) -> Result<Vec<(WidgetId, Stored)>, Failure> {
    let rows = sqlx::query(
        "SELECT widget_id, settings::text AS settings, sealed FROM installs \
         WHERE account_id = $1 AND widget_id > $2 AND (sealed IS NULL OR NOT $3) ORDER BY widget_id LIMIT $4 FOR UPDATE",
    )
    .bind(account.get())
    .bind(after)
    .bind(only_unsealed)
    .bind(count)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| Ok((WidgetId(row.try_get("widget_id")?), stored_settings(row, &account.to_string())?)))
        .collect()
}

/// Puts settings in the place of the same ones, sealed otherwise.
///
/// # Errors
///
/// When the database fails.
pub async fn replace_settings(
    connection: &mut Connection,
    account: AccountId,
    widget: WidgetId,
    settings: &Stored,
) -> Result<(), Failure> {
    sqlx::query("UPDATE installs SET settings = $3::text::json, sealed = $4 WHERE account_id = $1 AND widget_id = $2")
        .bind(account.get())
        .bind(widget.0)
        .bind(settings.text.get())
        .bind(settings.sealed)
        .execute(connection)
        .await?;
    Ok(())
}
