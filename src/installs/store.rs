//! The SQL of installs, a function per statement. Every statement names the account, but for the one that counts for a widget's owner.

use serde_json::value::RawValue;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;

use super::sealed::Stored;
use crate::archive::WidgetCode;
use crate::audit::store::{append, bind, by};
use crate::audit::{Action, Actor, Change};
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
pub async fn visible(
    connection: &mut Connection,
    caller: &Caller,
    code: &WidgetCode,
) -> Result<Option<Sighting>, Failure> {
    let row = sqlx::query(concat!(
        "SELECT ",
        widget_columns!(),
        ", i.account_id IS NOT NULL AS installed, i.pipeline_id, i.settings::text AS settings, i.sealed \
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
    let is_asked_for = row.try_get::<Option<&str>, _>("settings")?.is_some();
    let settings = is_asked_for.then(|| stored_settings(row, widget.code.as_str())).transpose()?;
    Ok(Sighting { widget, install: Some(Install { pipeline_id: row.try_get("pipeline_id")?, settings }) })
}

/// Installs a widget that the caller sees, or replaces the settings of an install. Returns the install's pipeline, or `None`
/// when the caller does not see the widget any more.
///
/// Visibility is judged in the same statement, under two locks: one that whoever hides a widget has to wait for (`FOR UPDATE`;
/// publishing, which hides nothing, takes a weaker one and waits for nobody), and one that an uninstall has to wait for: otherwise an
/// install could bring back a widget that only the install just removed had shown. A row that was inserted and not replaced, which
/// nobody has locked yet (`xmax` is 0), is one more install of the widget, and is noted as that. `change` is what the audit log says of it.
///
/// # Errors
///
/// When the database fails.
pub async fn install(
    connection: &mut Connection,
    caller: &Caller,
    id: WidgetId,
    settings: &Stored,
    (actor, change): (&Actor, &Change<'_>),
) -> Result<Option<Option<i64>>, Failure> {
    let query = sqlx::query(concat!(
        "WITH done AS ( \
           INSERT INTO installs (account_id, widget_id, settings, sealed, installed_by_user_id) \
           SELECT $1, w.id, $9::text::json, $14, $2 FROM widgets w \
           WHERE w.id = $8 AND ",
        seen!(" FOR UPDATE"),
        " FOR KEY SHARE OF w \
           ON CONFLICT ON CONSTRAINT installs_pkey \
           DO UPDATE SET settings = excluded.settings, sealed = excluded.sealed, updated_at = excluded.updated_at \
           RETURNING account_id, widget_id, pipeline_id, xmax = 0 AS is_new \
         ), counted AS ( \
           INSERT INTO install_changes (account_id, widget_id, change) \
           SELECT account_id, widget_id, 1 FROM done WHERE is_new \
         ), audit_change AS (SELECT account_id, ",
        by!("$3", "$4", "$5", "$6", "$7"),
        ", CASE WHEN is_new THEN $10::text ELSE $11::text END AS action, $12::text AS subject, $13::text::json AS details FROM done), ",
        append!(),
        " SELECT pipeline_id FROM done"
    ));
    let row = bind(query.bind(caller.account.get()).bind(caller.user.get()), actor)
        .bind(id.0)
        .bind(settings.text.get())
        .bind(change.action().as_str())
        .bind(Action::SettingsChanged.as_str())
        .bind(change.subject())
        .bind(change.details())
        .bind(settings.sealed)
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|row| row.try_get("pipeline_id")).transpose()?)
}

/// Removes an install with its settings, and notes that the widget has one install less; returns the widget, `None` when it was not
/// installed.
///
/// # Errors
///
/// When the database fails.
pub async fn uninstall(
    connection: &mut Connection,
    account: AccountId,
    code: &WidgetCode,
    actor: &Actor,
) -> Result<Option<WidgetId>, Failure> {
    let change = Change::WidgetUninstalled { widget: code.as_str(), forced: false };
    let query = sqlx::query(concat!(
        "WITH gone AS ( \
           DELETE FROM installs i USING widgets w WHERE i.account_id = $6 AND i.widget_id = w.id AND w.code = $7 \
           RETURNING i.account_id, i.widget_id \
         ), counted AS ( \
           INSERT INTO install_changes (account_id, widget_id, change) SELECT account_id, widget_id, -1 FROM gone \
         ), audit_change AS (SELECT account_id, ",
        by!("$1", "$2", "$3", "$4", "$5"),
        ", $8::text AS action, $9::text AS subject, $10::text::json AS details FROM gone), ",
        append!(),
        " SELECT widget_id FROM gone"
    ));
    let query = bind(query, actor).bind(account.get()).bind(code.as_str()).bind(change.action().as_str());
    let gone = query.bind(change.subject()).bind(change.details()).fetch_optional(connection).await?;
    Ok(gone.map(|row| row.try_get("widget_id")).transpose()?.map(WidgetId))
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

/// Sets the pipeline in which an installed widget is a lead source; `None` clears it, also when the current version can be
/// none any more.
///
/// # Errors
///
/// When the database fails.
pub async fn set_lead_source(
    connection: &mut Connection,
    account: AccountId,
    code: &WidgetCode,
    pipeline: Option<i64>,
    actor: &Actor,
) -> Result<LeadSource, Failure> {
    let change = Change::LeadSourceChanged { widget: code.as_str(), pipeline_id: pipeline };
    let query = sqlx::query(concat!(
        "WITH target AS ( \
           SELECT w.id, v.is_lead_source FROM widgets w \
           JOIN widget_versions v ON v.widget_id = w.id AND v.version = w.current_version \
           JOIN installs i ON i.account_id = $6 AND i.widget_id = w.id WHERE w.code = $7 \
         ), done AS ( \
           UPDATE installs i SET pipeline_id = $8, updated_at = now() FROM target t \
           WHERE i.account_id = $6 AND i.widget_id = t.id AND (t.is_lead_source OR $8 IS NULL) RETURNING i.account_id, i.widget_id \
         ), audit_change AS (SELECT account_id, ",
        by!("$1", "$2", "$3", "$4", "$5"),
        ", $9::text AS action, $10::text AS subject, $11::text::json AS details FROM done), ",
        append!(),
        " SELECT EXISTS (SELECT FROM target) AS installed, (SELECT widget_id FROM done) AS done"
    ));
    let query = bind(query, actor).bind(account.get()).bind(code.as_str()).bind(pipeline);
    let query = query.bind(change.action().as_str()).bind(change.subject()).bind(change.details());
    let row = query.fetch_one(connection).await?;
    Ok(match (row.try_get("installed")?, row.try_get("done")?) {
        (_, Some(widget)) => LeadSource::Set(WidgetId(widget)),
        (false, None) => LeadSource::NotInstalled,
        (true, None) => LeadSource::NotPossible,
    })
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
