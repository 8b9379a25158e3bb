//! The SQL of handing over, a function per statement.

use uuid::Uuid;

use crate::catalogue::widget::{Owner, WidgetId};
use crate::database::{Connection, Failure};

/// Gives an integration to another owner. Publishers who name it wait until the transaction ends.
///
/// # Errors
///
/// When the database fails.
pub async fn set_integration_owner(connection: &mut Connection, client: Uuid, owner: Owner) -> Result<(), Failure> {
    sqlx::query("UPDATE integrations SET owner_account_id = $2, owner_user_id = $3 WHERE client_uuid = $1")
        .bind(client)
        .bind(owner.account.get())
        .bind(owner.user.get())
        .execute(connection)
        .await?;
    Ok(())
}

/// Codes of other widgets that have this integration, at most so many.
///
/// # Errors
///
/// When the database fails.
pub async fn others_with(
    connection: &mut Connection,
    client: Uuid,
    widget: WidgetId,
    most: i64,
) -> Result<Vec<String>, Failure> {
    Ok(sqlx::query_scalar("SELECT code FROM widgets WHERE client_uuid = $1 AND id <> $2 ORDER BY code LIMIT $3")
        .bind(client)
        .bind(widget.0)
        .bind(most)
        .fetch_all(connection)
        .await?)
}

/// Gives a widget to another owner.
///
/// # Errors
///
/// When the database fails.
pub async fn set_owner(connection: &mut Connection, widget: WidgetId, owner: Owner) -> Result<(), Failure> {
    sqlx::query("UPDATE widgets SET owner_account_id = $2, owner_user_id = $3, updated_at = now() WHERE id = $1")
        .bind(widget.0)
        .bind(owner.account.get())
        .bind(owner.user.get())
        .execute(connection)
        .await?;
    Ok(())
}
