//! The SQL of the catalogue, a function per statement.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::template::Template;
use super::widget::{Owner, Rating, Visibility, Widget, WidgetId};
use crate::archive::{Version, WidgetCode};
use crate::auth::{AccountId, UserId};
use crate::database::{Failure, Pool};

/// A widget's row as publishing sees it.
#[derive(Debug)]
pub struct Registered {
    /// Its number.
    pub id: WidgetId,
    /// Who may publish further versions.
    pub owner: Owner,
    /// Who sees it.
    pub visibility: Visibility,
    /// Its integration.
    pub client_uuid: Option<Uuid>,
    /// Whether it is a CRM template.
    pub is_crm_template: bool,
    /// The current version; `None` before the first, and when all are yanked.
    pub current_version: Option<Version>,
    /// Whether it was chosen by hand.
    pub is_pinned: bool,
    /// Whether nothing is left but the code, which is its owner's.
    pub is_deleted: bool,
}

/// What can be set on a widget at publishing.
#[derive(Debug, Clone, Copy)]
pub struct Attributes {
    /// Who sees it.
    pub visibility: Visibility,
    /// Its integration.
    pub client_uuid: Option<Uuid>,
    /// Whether it is a CRM template.
    pub is_crm_template: bool,
}

/// A version that is to be written. The JSON texts are stored as they are.
#[derive(Debug)]
pub struct NewVersion<'a> {
    /// The manifest's version.
    pub version: &'a Version,
    /// Of the packed archive.
    pub archive_sha256: [u8; 32],
    /// Bytes of the packed archive.
    pub archive_size: i64,
    /// The manifest without its secret.
    pub manifest: Vec<u8>,
    /// The template as JSON.
    pub template: String,
    /// Name and descriptions as JSON.
    pub texts: String,
    /// Whether it can be a lead source.
    pub is_lead_source: bool,
    /// Whether it is available in Digital Pipeline.
    pub is_work_with_dp: bool,
    /// The warnings as JSON.
    pub findings: String,
}

/// The columns that [`widget`] reads, from `widgets w` joined with `widget_versions v`.
macro_rules! widget_columns {
    () => {
        "w.id, w.code, w.rating_tenths, w.is_crm_template, w.client_uuid, \
         v.version, v.template::text AS template, v.is_lead_source, v.is_work_with_dp"
    };
}
pub(crate) use widget_columns;

/// Reads a row with the columns of `widget_columns!`.
///
/// # Errors
///
/// [`Failure::Corrupt`] when a column holds what our types do not accept.
pub(crate) fn widget(row: &PgRow) -> Result<Widget, Failure> {
    let id: i64 = row.try_get("id")?;
    let corrupt = |table, why: String| Failure::Corrupt { table, row: id.to_string(), why };
    let code: &str = row.try_get("code")?;
    let version: &str = row.try_get("version")?;
    let template: &str = row.try_get("template")?;
    Ok(Widget {
        id: WidgetId(id),
        code: code.parse().map_err(|why| corrupt("widgets", format!("code: {why}")))?,
        version: version.parse().map_err(|why| corrupt("widget_versions", format!("version: {why}")))?,
        rating: Rating::from_tenths(row.try_get("rating_tenths")?)
            .ok_or_else(|| corrupt("widgets", "rating_tenths: not in 0…50".to_owned()))?,
        template: serde_json::from_str::<Template>(template)
            .map_err(|why| corrupt("widget_versions", format!("template of {version}: {why}")))?,
        is_lead_source: row.try_get("is_lead_source")?,
        is_work_with_dp: row.try_get("is_work_with_dp")?,
        is_crm_template: row.try_get("is_crm_template")?,
        client_uuid: row.try_get("client_uuid")?,
    })
}

/// Reads the owner's columns of a row.
pub(super) fn owner(row: &PgRow, table: &'static str, key: &str) -> Result<Owner, Failure> {
    let account = AccountId::new(row.try_get("owner_account_id")?);
    let user = UserId::new(row.try_get("owner_user_id")?);
    match (account, user) {
        (Some(account), Some(user)) => Ok(Owner { account, user }),
        _ => Err(Failure::Corrupt { table, row: key.to_owned(), why: "owner: not positive".to_owned() }),
    }
}

/// Claims an integration for an owner, and tells whose it is; that stays so until the transaction ends.
///
/// # Errors
///
/// When the database fails.
pub async fn claim_integration(connection: &mut PgConnection, client: Uuid, claimant: Owner) -> Result<Owner, Failure> {
    sqlx::query(
        "INSERT INTO integrations (client_uuid, owner_account_id, owner_user_id) VALUES ($1, $2, $3) \
         ON CONFLICT ON CONSTRAINT integrations_pkey DO NOTHING",
    )
    .bind(client)
    .bind(claimant.account.get())
    .bind(claimant.user.get())
    .execute(&mut *connection)
    .await?;
    let row = sqlx::query("SELECT owner_account_id, owner_user_id FROM integrations WHERE client_uuid = $1 FOR SHARE")
        .bind(client)
        .fetch_one(connection)
        .await?;
    owner(&row, "integrations", &client.to_string())
}

/// The columns that [`registered`] reads.
macro_rules! registered_columns {
    () => {
        "id, owner_account_id, owner_user_id, visibility, client_uuid, is_crm_template, current_version, is_pinned, \
         deleted_at IS NOT NULL AS is_deleted"
    };
}
pub(super) use registered_columns;
/// Finds a widget by its code, also a deleted one, and keeps it from being deleted until the transaction ends; what else is done to it
/// goes on meanwhile.
///
/// # Errors
///
/// When the database fails.
pub async fn find(connection: &mut PgConnection, code: &WidgetCode) -> Result<Option<Registered>, Failure> {
    let row = sqlx::query(concat!("SELECT ", registered_columns!(), " FROM widgets WHERE code = $1 FOR KEY SHARE"))
        .bind(code.as_str())
        .fetch_optional(connection)
        .await?;
    row.map(|row| registered(&row, code)).transpose()
}

/// Finds a widget by its code and keeps others from publishing it until the transaction ends. Installs go on meanwhile.
///
/// # Errors
///
/// When the database fails.
pub async fn lock(connection: &mut PgConnection, code: &WidgetCode) -> Result<Option<Registered>, Failure> {
    Ok(lock_code(connection, code).await?.filter(|found| !found.is_deleted))
}

/// [`lock`] for who publishes: finds a widget also when it is deleted, because its code is not free.
///
/// # Errors
///
/// When the database fails.
pub async fn lock_code(connection: &mut PgConnection, code: &WidgetCode) -> Result<Option<Registered>, Failure> {
    let row = sqlx::query(concat!("SELECT ", registered_columns!(), " FROM widgets WHERE code = $1 FOR NO KEY UPDATE"))
        .bind(code.as_str())
        .fetch_optional(connection)
        .await?;
    row.map(|row| registered(&row, code)).transpose()
}

/// Lets a deleted widget be one again, as if it were new.
///
/// # Errors
///
/// When the database fails.
pub async fn revive(connection: &mut PgConnection, widget: WidgetId) -> Result<(), Failure> {
    sqlx::query("UPDATE widgets SET deleted_at = NULL, created_at = now() WHERE id = $1")
        .bind(widget.0)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) fn registered(row: &PgRow, code: &WidgetCode) -> Result<Registered, Failure> {
    let corrupt = |why: String| Failure::Corrupt { table: "widgets", row: code.to_string(), why };
    let visibility: &str = row.try_get("visibility")?;
    let current: Option<&str> = row.try_get("current_version")?;
    Ok(Registered {
        id: WidgetId(row.try_get("id")?),
        owner: owner(row, "widgets", code.as_str())?,
        visibility: visibility.parse().map_err(corrupt)?,
        client_uuid: row.try_get("client_uuid")?,
        is_crm_template: row.try_get("is_crm_template")?,
        is_pinned: row.try_get("is_pinned")?,
        is_deleted: row.try_get("is_deleted")?,
        current_version: current
            .map(str::parse)
            .transpose()
            .map_err(|why| corrupt(format!("current_version: {why}")))?,
    })
}

/// Registers a code; `None` when somebody else was faster.
///
/// # Errors
///
/// When the database fails.
pub async fn register(
    connection: &mut PgConnection,
    code: &WidgetCode,
    owner: Owner,
    attributes: Attributes,
) -> Result<Option<WidgetId>, Failure> {
    let id = sqlx::query_scalar(
        "INSERT INTO widgets (code, owner_account_id, owner_user_id, visibility, client_uuid, is_crm_template) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT ON CONSTRAINT widgets_code_key DO NOTHING RETURNING id",
    )
    .bind(code.as_str())
    .bind(owner.account.get())
    .bind(owner.user.get())
    .bind(attributes.visibility.as_str())
    .bind(attributes.client_uuid)
    .bind(attributes.is_crm_template)
    .fetch_optional(connection)
    .await?;
    Ok(id.map(WidgetId))
}

/// Writes a version; `false` when that version exists already.
///
/// # Errors
///
/// When the database fails.
pub async fn add_version(
    connection: &mut PgConnection,
    widget: WidgetId,
    new: &NewVersion<'_>,
    publisher: Owner,
) -> Result<bool, Failure> {
    let done = sqlx::query(
        "INSERT INTO widget_versions (widget_id, version, archive_sha256, archive_size, manifest, template, texts, \
         is_lead_source, is_work_with_dp, findings, published_by_account_id, published_by_user_id) \
         VALUES ($1, $2, $3, $4, $5, $6::text::json, $7::text::json, $8, $9, $10::text::json, $11, $12) \
         ON CONFLICT ON CONSTRAINT widget_versions_pkey DO NOTHING",
    )
    .bind(widget.0)
    .bind(new.version.as_str())
    .bind(new.archive_sha256.as_slice())
    .bind(new.archive_size)
    .bind(&new.manifest)
    .bind(&new.template)
    .bind(&new.texts)
    .bind(new.is_lead_source)
    .bind(new.is_work_with_dp)
    .bind(&new.findings)
    .bind(publisher.account.get())
    .bind(publisher.user.get())
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The digest of the archive of a version.
///
/// # Errors
///
/// When the database fails or has no such version.
pub async fn archive_digest(
    connection: &mut PgConnection,
    widget: WidgetId,
    version: &Version,
) -> Result<Vec<u8>, Failure> {
    Ok(sqlx::query_scalar("SELECT archive_sha256 FROM widget_versions WHERE widget_id = $1 AND version = $2")
        .bind(widget.0)
        .bind(version.as_str())
        .fetch_one(connection)
        .await?)
}

/// Sets what publishing may set.
///
/// # Errors
///
/// When the database fails.
pub async fn update(
    connection: &mut PgConnection,
    widget: WidgetId,
    attributes: Attributes,
    current: Option<&Version>,
) -> Result<(), Failure> {
    sqlx::query(
        "UPDATE widgets SET visibility = $2, client_uuid = $3, is_crm_template = $4, current_version = $5, updated_at = now() \
         WHERE id = $1",
    )
    .bind(widget.0)
    .bind(attributes.visibility.as_str())
    .bind(attributes.client_uuid)
    .bind(attributes.is_crm_template)
    .bind(current.map(Version::as_str))
    .execute(connection)
    .await?;
    Ok(())
}

/// Whose a widget is; `None` when there is none.
///
/// # Errors
///
/// When the database fails.
pub async fn owner_of(pool: &Pool, code: &WidgetCode) -> Result<Option<Owner>, Failure> {
    let row = sqlx::query("SELECT owner_account_id, owner_user_id FROM widgets WHERE code = $1 AND deleted_at IS NULL")
        .bind(code.as_str())
        .fetch_optional(&mut *pool.catalogue().await?)
        .await?;
    row.map(|row| owner(&row, "widgets", code.as_str())).transpose()
}

/// A widget as a plan for its next version sees it.
#[derive(Debug)]
pub struct Published {
    /// Its number.
    pub id: WidgetId,
    /// Who may publish further versions.
    pub owner: Owner,
    /// The current version and its template; `None` when all are yanked.
    pub current: Option<(Version, Template)>,
    /// Whether it was chosen by hand.
    pub is_pinned: bool,
}

/// A widget by its code, whoever asks; a deleted one too, because its code is not free.
///
/// # Errors
///
/// When the database fails.
pub async fn published(pool: &Pool, code: &WidgetCode) -> Result<Option<Published>, Failure> {
    let row = sqlx::query(
        "SELECT w.id, w.owner_account_id, w.owner_user_id, w.is_pinned, v.version, v.template::text AS template FROM widgets w \
         LEFT JOIN widget_versions v ON v.widget_id = w.id AND v.version = w.current_version WHERE w.code = $1",
    )
    .bind(code.as_str())
    .fetch_optional(&mut *pool.catalogue().await?)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let corrupt = |why: String| Failure::Corrupt { table: "widget_versions", row: code.to_string(), why };
    let (version, template): (Option<&str>, Option<&str>) = (row.try_get("version")?, row.try_get("template")?);
    let current = version.zip(template).map(|(version, template)| {
        let version = version.parse().map_err(|why| corrupt(format!("version: {why}")))?;
        let template = serde_json::from_str(template).map_err(|why| corrupt(format!("template: {why}")))?;
        Ok::<_, Failure>((version, template))
    });
    let owner = owner(&row, "widgets", code.as_str())?;
    Ok(Some(Published {
        id: WidgetId(row.try_get("id")?),
        owner,
        current: current.transpose()?,
        is_pinned: row.try_get("is_pinned")?,
    }))
}
