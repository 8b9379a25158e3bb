//! Publishing a version: who may, what it changes, and what stands against it.

use std::io::{Read, Seek};

use serde::Serialize;
use uuid::Uuid;

use super::store::{self, Attributes, NewVersion, Registered};
use super::template::Template;
use super::versions::{self, becomes_current};
use super::widget::{Owner, Visibility, WidgetId};
use super::{changes, listing};
use crate::archive::{Finding, Limits, LocalizedText, Package, PackagedFile, Version, WidgetCode};
use crate::audit::{self, Actor, Change, Step};
use crate::blobs::{self, BlobError, NewBlob};
use crate::database::{Connection, Failure, Pool, Writes};
use crate::digest::Sha256;

/// What a publisher asks for besides the archive. What is not given stays as it is, or takes the default of a new widget.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The widget's code; by default the manifest's.
    pub code: Option<WidgetCode>,
    /// Who sees it; a new widget is private.
    pub visibility: Option<Visibility>,
    /// The integration whose tokens may read its settings.
    pub client_uuid: Option<Uuid>,
    /// Whether it is a CRM template; a new widget is none.
    pub is_crm_template: Option<bool>,
}

/// An archive that was accepted.
#[derive(Debug)]
pub struct Accepted<'a, R> {
    /// Its bytes.
    pub source: R,
    /// The limits that it was read with.
    pub limits: &'a Limits,
    /// What it holds.
    pub package: &'a Package,
    /// What was found in it.
    pub warnings: &'a [Finding],
}

/// A version that is there now.
#[derive(Debug)]
pub struct Published {
    /// The widget's number.
    pub id: WidgetId,
    /// The widget's code.
    pub code: WidgetCode,
    /// Whether this very archive had been published before.
    pub already: bool,
    /// Whether the v4 API shows this version.
    pub is_current: bool,
    /// The widget's attributes now.
    pub attributes: Attributes,
}

/// What stands against publishing.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Neither the request nor the manifest names a code.
    #[error("neither the request nor the manifest's widget.code names a valid code; give `code`")]
    NoCode,
    /// The code belongs to somebody else.
    #[error("the code `{0}` belongs to another publisher; choose another one")]
    ForeignCode(WidgetCode),
    /// The integration belongs to somebody else.
    #[error("the integration {0} belongs to another publisher")]
    ForeignIntegration(Uuid),
    /// The widget is public, and publishing does not hide it.
    #[error("the widget is public, and accounts may rely on it; publishing a version cannot make it private")]
    Hiding,
    /// Other bytes under a version that exists.
    #[error("version {0} exists with other content; raise the version in manifest.json")]
    OtherBytes(Version),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] Failure),
    /// The files could not be stored.
    #[error(transparent)]
    Files(#[from] BlobError),
    /// Something could not be written as JSON: a fault of ours.
    #[error("the package could not be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Publishes a package in one transaction: the widget if it is new, the version, and what the request sets.
///
/// # Errors
///
/// What stands against it; then nothing has changed.
pub async fn publish<R: Read + Seek + Send + 'static>(
    pool: &Pool,
    writes: &Writes,
    publisher: Owner,
    request: &Request,
    archive: Accepted<'_, R>,
    actor: &Actor,
) -> Result<Published, PublishError> {
    let Accepted { source, limits, package, warnings } = archive;
    let code = request.code.clone().or_else(|| package.manifest.code.clone()).ok_or(PublishError::NoCode)?;
    let new = new_version(package, warnings)?;
    let write = writes.begin();
    let mut transaction = pool.begin_for(publisher.account).await?;
    if let Some(found) = store::find(&mut transaction, &code).await? {
        // Judged again under the lock; here only so that nothing is stored in vain.
        attributes(&found, publisher, &code, request)?;
    }
    // Before the widget's row is locked, which is what votes and the widget's other publications wait for.
    blobs::write(&mut transaction, source, limits, &new_blobs(package)).await?;
    let (registered, is_new) = registered(&mut transaction, &code, publisher, request).await?;
    let attributes = attributes(&registered, publisher, &code, request)?;
    let changed = changed(&registered, is_new, attributes);
    // The widget is locked before its integration, as by everybody who locks both.
    if let Some(client) = request.client_uuid
        && store::claim_integration(&mut transaction, client, publisher).await? != publisher
    {
        return Err(PublishError::ForeignIntegration(client));
    }
    if registered.is_deleted {
        store::revive(&mut transaction, registered.id).await?;
    }
    let already = !store::add_version(&mut transaction, registered.id, &new, publisher).await?;
    if already && store::archive_digest(&mut transaction, registered.id, new.version).await? != new.archive_sha256 {
        return Err(PublishError::OtherBytes(new.version.clone()));
    }
    if !already {
        versions::store::add_files(&mut transaction, registered.id, new.version, &package.files).await?;
    }
    let wins = becomes_current(new.version, registered.current_version.as_ref(), registered.is_pinned);
    let current = if !already && wins { Some(new.version.clone()) } else { registered.current_version };
    store::update(&mut transaction, registered.id, attributes, current.as_ref()).await?;
    listing::write(&mut transaction, registered.id).await?;
    let is_current = current.as_ref() == Some(new.version);
    let change = published(&code, &new, is_current, is_new || registered.is_deleted, changed, already);
    if let Some(change) = change {
        audit::record(&mut transaction, publisher.account, actor, &change).await?;
    }
    changes::commit(transaction, vec![write], registered.id).await?;
    Ok(Published { id: registered.id, code, already, is_current, attributes })
}

/// What publishing changes of a widget. A new one begins as a private one without an integration.
fn changed(registered: &Registered, is_new: bool, to: Attributes) -> audit::Attributes {
    let visibility = if is_new { Visibility::Private } else { registered.visibility };
    let is_crm_template = !is_new && registered.is_crm_template;
    audit::Attributes {
        visibility: Step::between(visibility.as_str(), to.visibility.as_str()),
        client_uuid: Step::between(registered.client_uuid, to.client_uuid),
        is_crm_template: Step::between(is_crm_template, to.is_crm_template),
    }
}

/// What the audit log says; nothing when the very same archive was published again, and nothing else asked for.
fn published<'a>(
    code: &'a WidgetCode,
    new: &NewVersion<'_>,
    is_current: bool,
    is_new_widget: bool,
    attributes: audit::Attributes,
    already: bool,
) -> Option<Change<'a>> {
    let widget = code.as_str();
    let version = new.version.to_string();
    if !already {
        return Some(Change::VersionPublished { widget, version, is_current, is_new_widget, attributes });
    }
    (!attributes.is_empty()).then_some(Change::AttributesChanged { widget, attributes })
}

/// The files that are served.
fn new_blobs(package: &Package) -> Vec<NewBlob> {
    let files = package.files.iter().filter(|file| file.served);
    let blob = |file: &PackagedFile| NewBlob {
        path: file.path.clone(),
        sha256: Sha256(file.sha256),
        size: file.size,
        media_type: file.media_type,
    };
    files.map(blob).collect()
}

/// The widget's row, and whether it was made now; it is locked either way.
async fn registered(
    transaction: &mut Connection,
    code: &WidgetCode,
    publisher: Owner,
    request: &Request,
) -> Result<(Registered, bool), PublishError> {
    if let Some(registered) = store::lock_code(transaction, code).await? {
        return Ok((registered, false));
    }
    let attributes = Attributes {
        visibility: request.visibility.unwrap_or(Visibility::Private),
        // Set when it is claimed.
        client_uuid: None,
        is_crm_template: request.is_crm_template.unwrap_or(false),
    };
    if let Some(id) = store::register(transaction, code, publisher, attributes).await? {
        let Attributes { visibility, client_uuid, is_crm_template } = attributes;
        let registered = Registered {
            id,
            owner: publisher,
            visibility,
            client_uuid,
            is_crm_template,
            current_version: None,
            is_pinned: false,
            is_deleted: false,
        };
        return Ok((registered, true));
    }
    // Somebody registered the code in between; their transaction has ended, so their row is there.
    let registered = store::lock_code(transaction, code).await?;
    registered.map(|registered| (registered, false)).ok_or_else(|| PublishError::ForeignCode(code.clone()))
}

fn attributes(
    registered: &Registered,
    publisher: Owner,
    code: &WidgetCode,
    request: &Request,
) -> Result<Attributes, PublishError> {
    if registered.owner != publisher {
        return Err(PublishError::ForeignCode(code.clone()));
    }
    let visibility = request.visibility.unwrap_or(registered.visibility);
    if registered.visibility == Visibility::Public && visibility == Visibility::Private {
        return Err(PublishError::Hiding);
    }
    Ok(Attributes {
        visibility,
        client_uuid: request.client_uuid.or(registered.client_uuid),
        is_crm_template: request.is_crm_template.unwrap_or(registered.is_crm_template),
    })
}

fn new_version<'a>(package: &'a Package, warnings: &[Finding]) -> Result<NewVersion<'a>, PublishError> {
    #[derive(Serialize)]
    struct Texts<'a> {
        name: &'a LocalizedText,
        description: &'a LocalizedText,
        short_description: &'a LocalizedText,
    }

    let manifest = &package.manifest;
    Ok(NewVersion {
        version: &manifest.version,
        archive_sha256: package.sha256,
        archive_size: i64::try_from(package.packed_size).unwrap_or(i64::MAX),
        manifest: manifest.redacted(),
        template: serde_json::to_string(&Template::of(&manifest.settings))?,
        texts: serde_json::to_string(&Texts {
            name: &manifest.name,
            description: &manifest.description,
            short_description: &manifest.short_description,
        })?,
        is_lead_source: manifest.is_lead_source,
        is_work_with_dp: manifest.is_work_with_dp,
        findings: serde_json::to_string(warnings)?,
    })
}
