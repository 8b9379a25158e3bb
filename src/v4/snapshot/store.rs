//! The SQL of the catalogue in memory, a function per statement.

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::catalogue::store::{owner, widget, widget_columns};
use crate::catalogue::{Owner, Visibility, Widget, WidgetId};
use crate::database::{Connection, Failure};

/// A widget that the v4 API shows to somebody: one that has a current version.
#[derive(Debug)]
pub struct Listed {
    /// The widget in its current version.
    pub widget: Widget,
    /// Whose it is.
    pub owner: Owner,
    /// Who sees it.
    pub visibility: Visibility,
}

/// A row, by its widget; one that cannot be read is an error of its own, so that it keeps no other from being shown.
pub type Read = (WidgetId, Result<Listed, Failure>);

/// Rows as they came. To read them takes longer than to get them, and needs no connection.
#[derive(Debug)]
pub struct Rows(Vec<PgRow>);

impl Rows {
    /// The widget of the last row; `None` when there is no row.
    ///
    /// # Errors
    ///
    /// When a row has no number that can be read: a fault of ours.
    pub fn last(&self) -> Result<Option<WidgetId>, Failure> {
        self.0.last().map(|row| Ok(WidgetId(row.try_get("id")?))).transpose()
    }

    /// Reads them one by one, in their order; each is an error when it has no number that can be read: a fault of ours.
    pub fn read(self) -> impl Iterator<Item = Result<Read, Failure>> {
        self.0.into_iter().map(|row| read(&row))
    }
}

macro_rules! listed {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            widget_columns!(),
            ", w.visibility, w.owner_account_id, w.owner_user_id FROM widgets w \
             JOIN widget_versions v ON v.widget_id = w.id AND v.version = w.current_version WHERE ",
            $condition
        )
    };
}

/// Widgets ascending after one, at most `count`.
///
/// # Errors
///
/// When the database fails.
pub async fn after(connection: &mut Connection, last: WidgetId, count: i64) -> Result<Rows, Failure> {
    // Said of both tables: else the versions are read from their beginning for each part, which is slow with very many.
    let rows = sqlx::query(listed!("w.id > $1 AND v.widget_id > $1 ORDER BY w.id LIMIT $2")).bind(last.0).bind(count);
    Ok(Rows(rows.fetch_all(connection).await?))
}

/// Those of some widgets that have a current version.
///
/// # Errors
///
/// When the database fails.
pub async fn these(connection: &mut Connection, ids: &[WidgetId]) -> Result<Rows, Failure> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    Ok(Rows(sqlx::query(listed!("w.id = ANY($1)")).bind(ids).fetch_all(connection).await?))
}

fn read(row: &PgRow) -> Result<Read, Failure> {
    let id = WidgetId(row.try_get("id")?);
    Ok((id, listed(row, id)))
}

fn listed(row: &PgRow, id: WidgetId) -> Result<Listed, Failure> {
    let visibility: &str = row.try_get("visibility")?;
    let corrupt = |why| Failure::Corrupt { table: "widgets", row: id.0.to_string(), why };
    Ok(Listed {
        widget: widget(row)?,
        owner: owner(row, "widgets", &id.0.to_string())?,
        visibility: visibility.parse().map_err(corrupt)?,
    })
}
