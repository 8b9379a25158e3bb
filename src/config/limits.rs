//! Every limit of the service, with its default. What is past a limit is answered as the table in `docs/API.md` says.

use std::time::Duration;

use super::parse;
use super::reader::{Reader, Setting};
use crate::archive;

/// The limits of one running service. Sizes are in bytes.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a request's path (414).
    pub path: usize,
    /// Bytes of a request's query (414).
    pub query: usize,
    /// Bytes of all header names and values together (431).
    pub headers: usize,
    /// Bytes of the `Authorization` header (401).
    pub authorization: usize,
    /// The highest `page` (400).
    pub page: u64,
    /// The largest page: a higher `limit` is served as this.
    pub page_size: u64,
    /// Bytes of an install's body (413).
    pub install_body: usize,
    /// Bytes of a continue's body (413).
    pub continue_body: usize,
    /// Bytes of any other JSON body (413).
    pub json_body: usize,
    /// How deep an install's JSON may nest (400).
    pub install_depth: usize,
    /// How deep any other JSON may nest (400).
    pub json_depth: usize,
    /// Members of one JSON object (400).
    pub object_keys: usize,
    /// Bytes of one `text` value (400).
    pub text_value: usize,
    /// Bytes of one `pass` value (400).
    pub pass_value: usize,
    /// Bytes of one `custom` value (400).
    pub custom_value: usize,
    /// Entries of one `users` or `users_lp` value (400).
    pub users: usize,
    /// What an archive may hold (413 for its packed size, else 400).
    pub archive: archive::Limits,
    /// Within which a request's head must have come (408).
    pub head_time: Duration,
    /// Within which a JSON body must have come (408).
    pub body_time: Duration,
    /// Within which an upload must have come (408).
    pub upload_time: Duration,
    /// Within which a handler must answer (503).
    pub handler_time: Duration,
    /// Requests that are worked on at once (503).
    pub requests: usize,
    /// Uploads that are worked on at once (503).
    pub uploads: usize,
    /// Files that are sent at once (503).
    pub downloads: usize,
    /// For which a file that is being sent counts among them.
    pub download_time: Duration,
    /// Calls to engines and widgets that run at once.
    pub outgoing_calls: usize,
    /// Wait for a database connection (503).
    pub connection_time: Duration,
    /// One SQL statement (503).
    pub statement_time: Duration,
    /// Wait for a lock (503).
    pub lock_time: Duration,
    /// An open transaction that does nothing.
    pub idle_transaction_time: Duration,
}

const fn setting(name: &'static str, default: &'static str, explanation: &'static str) -> Setting {
    Setting { name, default, explanation, secret: false }
}

impl Limits {
    /// Reads all of them; `None` after a mistake.
    pub(super) fn read(r: &mut Reader) -> Option<Self> {
        use parse::{count, duration, number, size};
        let path = r.value(setting("limits.path", "2048", "Bytes of a request's path."), size);
        let query = r.value(setting("limits.query", "4096", "Bytes of a request's query."), size);
        let headers = r.value(setting("limits.headers", "32KiB", "Bytes of a request's headers together."), size);
        let authorization =
            r.value(setting("limits.authorization", "8KiB", "Bytes of the Authorization header."), size);
        let page = r.value(setting("limits.page", "1000000", "The highest page of a list."), number(1, 1_000_000));
        let page_size = r.value(
            setting("limits.page_size", "250", "The largest page; a larger limit is served as this."),
            number(1, 250),
        );
        let install_body = r.value(setting("limits.install_body", "256KiB", "Bytes of an install's body."), size);
        let continue_body = r.value(setting("limits.continue_body", "64KiB", "Bytes of a continue's body."), size);
        let json_body = r.value(setting("limits.json_body", "64KiB", "Bytes of any other JSON body."), size);
        let install_depth =
            r.value(setting("limits.install_depth", "16", "How deep an install's JSON may nest."), count(1, 100));
        let json_depth =
            r.value(setting("limits.json_depth", "32", "How deep any other JSON may nest."), count(1, 100));
        let object_keys =
            r.value(setting("limits.object_keys", "1000", "Members of one JSON object."), count(1, 1_000_000));
        let text_value = r.value(setting("limits.text_value", "16KiB", "Bytes of one text setting."), size);
        let pass_value = r.value(setting("limits.pass_value", "4KiB", "Bytes of one pass setting."), size);
        let custom_value = r.value(setting("limits.custom_value", "64KiB", "Bytes of one custom setting."), size);
        let users =
            r.value(setting("limits.users", "1000", "Entries of one users or users_lp setting."), count(1, 1_000_000));
        let archive = archive_limits(r);
        let head_time = r.value(setting("limits.head_time", "5s", "Time for a request's head to come."), duration);
        let body_time = r.value(setting("limits.body_time", "15s", "Time for a JSON body to come."), duration);
        let upload_time = r.value(setting("limits.upload_time", "120s", "Time for an upload to come."), duration);
        let handler_time = r.value(setting("limits.handler_time", "10s", "Time for a handler to answer."), duration);
        let requests = r.value(
            setting("limits.requests", "256", "Requests worked on at once, and bodies read at once."),
            count(1, 100_000),
        );
        let uploads = r.value(setting("limits.uploads", "8", "Uploads worked on at once."), count(1, 1_000));
        let downloads = r.value(setting("limits.downloads", "128", "Files sent at once."), count(1, 100_000));
        let download_time =
            r.value(setting("limits.download_time", "60s", "Time for which a file being sent counts."), duration);
        let outgoing_calls = r.value(
            setting("limits.outgoing_calls", "50", "Calls to engines and widgets that run at once."),
            count(1, 10_000),
        );
        let connection_time =
            r.value(setting("limits.connection_time", "1s", "Wait for a database connection."), duration);
        let statement_time = r.value(setting("limits.statement_time", "5s", "Time of one SQL statement."), duration);
        let lock_time = r.value(setting("limits.lock_time", "2s", "Wait for a database lock."), duration);
        let idle_transaction_time = r.value(
            setting("limits.idle_transaction_time", "10s", "Time of a transaction that does nothing."),
            duration,
        );
        Some(Self {
            path: path?,
            query: query?,
            headers: headers?,
            authorization: authorization?,
            page: page?,
            page_size: page_size?,
            install_body: install_body?,
            continue_body: continue_body?,
            json_body: json_body?,
            install_depth: install_depth?,
            json_depth: json_depth?,
            object_keys: object_keys?,
            text_value: text_value?,
            pass_value: pass_value?,
            custom_value: custom_value?,
            users: users?,
            archive: archive?,
            head_time: head_time?,
            body_time: body_time?,
            upload_time: upload_time?,
            handler_time: handler_time?,
            requests: requests?,
            uploads: uploads?,
            downloads: downloads?,
            download_time: download_time?,
            outgoing_calls: outgoing_calls?,
            connection_time: connection_time?,
            statement_time: statement_time?,
            lock_time: lock_time?,
            idle_transaction_time: idle_transaction_time?,
        })
    }
}

/// The limits of the archive reader; those without a setting keep the reader's default.
fn archive_limits(r: &mut Reader) -> Option<archive::Limits> {
    use parse::{count, number, size};
    let packed = r.value(setting("limits.archive_packed", "20MiB", "Bytes of an uploaded archive."), size);
    let unpacked = r.value(setting("limits.archive_unpacked", "64MiB", "Bytes of an archive's files, unpacked."), size);
    let entries = r.value(setting("limits.archive_entries", "2000", "Entries of an archive."), count(1, 60_000));
    let manifest = r.value(setting("limits.archive_manifest", "256KiB", "Bytes of manifest.json."), size);
    let depth = r.value(
        setting("limits.archive_depth", "10", "Segments of an entry's path, images/logo.png has two."),
        count(1, 100),
    );
    let ratio = r.value(
        setting("limits.archive_ratio", "200", "How many times larger an entry may unpack than it is packed."),
        number(1, 10_000),
    );
    let (Some(packed), Some(unpacked), Some(entries), Some(manifest), Some(depth), Some(ratio)) =
        (packed, unpacked, entries, manifest, depth, ratio)
    else {
        return None;
    };
    Some(archive::Limits {
        packed: packed as u64,
        unpacked: unpacked as u64,
        entries: entries as u64,
        manifest: manifest as u64,
        depth,
        ratio,
        ..archive::Limits::default()
    })
}
