//! Requests that change something: each needs its own widget, account or record, which is there before the slice begins.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::capture::{self, Marker, Script};
use super::client::{self, Next, Request};
use super::database::Database;
use super::service::Service;
use super::tokens::Tokens;
use anyhow::{Context as _, ensure};

/// The accounts that write, from this one on.
const FIRST_ACCOUNT: u64 = 10_000;
pub const ACCOUNTS: u64 = 256;
/// Bots of each account.
const BOTS: u64 = 500;
/// The first record of continues.
const FIRST_RECORD: u64 = 1_000_000;
/// What an administrator sends to install.
const SETTINGS: &str = r#"{"login":"example@example.com","password":"eXaMp1E-pAssw0rd","script_path":"https://example.com/widget/script"}"#;
const CONTINUE: &str = r#"{"data":{"status":"success","day":"Monday"}}"#;
/// How often the statements are looked for in the log before that is given up.
const TRIES: u64 = 100;

/// What a write does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    Install,
    Reinstall,
    Uninstall,
    Continue,
}

/// Makes the writes of one service.
pub struct Writer {
    database: Database,
    authorizations: Rc<Vec<String>>,
    widgets: u64,
    /// Pairs of account and widget that were used.
    pairs: Cell<u64>,
    records: Cell<u64>,
}

impl Writer {
    /// Every account has its data key, and the first widget installed.
    pub async fn new(service: &Service, tokens: &Tokens, widgets: u64) -> anyhow::Result<Self> {
        let accounts = FIRST_ACCOUNT..FIRST_ACCOUNT + ACCOUNTS;
        let authorizations =
            accounts.map(|account| tokens.authorization(account)).collect::<anyhow::Result<Vec<_>>>()?;
        for authorization in &authorizations {
            client::ask(service.address, &install("bench_1", authorization)).await?;
        }
        let database = service.database.clone();
        Ok(Self {
            database,
            authorizations: Rc::new(authorizations),
            widgets,
            pairs: Cell::new(0),
            records: Cell::new(0),
        })
    }

    /// Makes ready for so many writes; the number of the first.
    pub async fn reserve(&self, write: Write, count: u64) -> anyhow::Result<u64> {
        match write {
            Write::Reinstall => Ok(0),
            Write::Install | Write::Uninstall => {
                let most = (self.widgets - 1) * ACCOUNTS;
                ensure!(count <= most, "too few widgets for {count} installs");
                let mut first = self.pairs.get();
                if first + count > most {
                    let last = FIRST_ACCOUNT + ACCOUNTS - 1;
                    let of = format!("account_id BETWEEN {FIRST_ACCOUNT} AND {last} AND widget_id > 1");
                    self.database.run(format!("DELETE FROM installs WHERE {of}")).await?;
                    first = 0;
                }
                self.pairs.set(first + count);
                if write == Write::Uninstall {
                    let installs =
                        "INSERT INTO installs (account_id, widget_id, settings, sealed, installed_by_user_id) SELECT";
                    let pair = format!("{FIRST_ACCOUNT} + i % {ACCOUNTS}, 2 + i / {ACCOUNTS}, '{{}}', 0, 7");
                    let series = format!("generate_series({first}, {}) AS i", first + count - 1);
                    self.database.run(format!("{installs} {pair} FROM {series}")).await?;
                }
                Ok(first)
            }
            Write::Continue => {
                let first = self.records.get();
                self.records.set(first + count);
                self.open(&format!("{FIRST_ACCOUNT} + i % {ACCOUNTS}"), "1 + i % 500", FIRST_RECORD + first, count)
                    .await?;
                Ok(first)
            }
        }
    }

    /// Lets bots wait, past the service.
    async fn open(&self, account: &str, bot: &str, first: u64, count: u64) -> anyhow::Result<()> {
        let into = "INSERT INTO continuations (account_id, id, bot_type, bot_id, widget_id, entity_type, entity_id, expires_at)";
        let record =
            format!("{account}, {FIRST_RECORD} + i, 'salesbot', {bot}, 1, 'leads', 5, now() + interval '1 day'");
        let (from, to) = (first - FIRST_RECORD, first - FIRST_RECORD + count - 1);
        let all = format!("{into} SELECT {record} FROM generate_series({from}, {to}) AS i");
        // What the database does by itself in its own time, and plans by.
        self.database.run(format!("{all}; ANALYZE continuations")).await
    }

    /// The requests of so many connections for what was reserved.
    pub fn requests(&self, write: Write, (first, count): (u64, u64), connections: usize) -> Next {
        let sent = RefCell::new(vec![0_u64; connections]);
        let authorizations = self.authorizations.clone();
        let step = connections as u64;
        Rc::new(move |connection| {
            let mut sent = sent.borrow_mut();
            let number = sent[connection] * step + connection as u64;
            sent[connection] += 1;
            if number >= count && write != Write::Reinstall {
                return None;
            }
            let number = first + number;
            let account = number % ACCOUNTS;
            let authorization = authorizations.get(usize::try_from(account).ok()?)?;
            let code = |number: u64| format!("bench_{}", 2 + number / ACCOUNTS);
            Some(Rc::new(match write {
                Write::Install => install(&code(number), authorization),
                Write::Reinstall => install("bench_1", authorization),
                Write::Uninstall => uninstall(&code(number), authorization),
                Write::Continue => proceed(1 + number % BOTS, FIRST_RECORD + number, authorization),
            }))
        })
    }

    /// The statements of a write as the service sends them, for accounts of this writer.
    pub async fn script(&self, write: Write, service: &Service, tokens: &Tokens) -> anyhow::Result<Script> {
        self.database.run("ALTER SYSTEM SET log_statement = 'all'".to_owned()).await?;
        self.database.run("SELECT pg_reload_conf()".to_owned()).await?;
        let script = self.captured(write, service, tokens).await;
        self.database.run("ALTER SYSTEM RESET log_statement".to_owned()).await?;
        self.database.run("SELECT pg_reload_conf()".to_owned()).await?;
        let script = script?;
        // What it writes is encrypted for one account only, so others keep away from what the service reads again.
        let accounts = if write == Write::Reinstall { FIRST_ACCOUNT + ACCOUNTS } else { FIRST_ACCOUNT };
        let sets = [
            r"\set n :n + 1".to_owned(),
            r"\set i :first + :n * :clients + :client_id".to_owned(),
            format!(r"\set account {accounts} + :i % {ACCOUNTS}"),
            if write == Write::Reinstall {
                r"\set widget 1".to_owned()
            } else {
                format!(r"\set widget 2 + :i / {ACCOUNTS}")
            },
            format!(r"\set record {FIRST_RECORD} + :i"),
            format!(r"\set bot 1 + :i % {BOTS}"),
        ];
        Ok(Script { lines: format!("{}\n{}", sets.join("\n"), script.lines), ..script })
    }

    async fn captured(&self, write: Write, service: &Service, tokens: &Tokens) -> anyhow::Result<Script> {
        // Numbers that stand for nothing else in the log.
        let (widget, bot) = if write == Write::Reinstall { (1, 0) } else { (self.widgets * 5 / 8, 876_543) };
        let code = format!("bench_{widget}");
        for attempt in 0..TRIES {
            let account = 900_000_000 + self.pairs.get() + attempt;
            let record = 77_000_000_000 + self.records.get() * 1_000 + attempt;
            let authorization = tokens.authorization(account)?;
            let before = if write == Write::Uninstall { code.as_str() } else { "bench_1" };
            client::ask(service.address, &install(before, &authorization)).await?;
            let request = match write {
                Write::Install | Write::Reinstall => install(&code, &authorization),
                Write::Uninstall => uninstall(&code, &authorization),
                Write::Continue => {
                    self.open(&account.to_string(), &bot.to_string(), record, 1).await?;
                    proceed(bot, record, &authorization)
                }
            };
            let place = std::fs::metadata(&self.database.log)?.len();
            client::ask(service.address, &request).await?;
            let log = capture::read_from(&self.database.log, place)?;
            let part = |text: String, expression, is_part| Marker { text, expression, is_part };
            let mut markers = vec![
                part(account.to_string(), ":account::bigint", true),
                part(code.clone(), "'bench_' || :widget::text", false),
                part(record.to_string(), ":record::bigint", true),
                part(bot.to_string(), ":bot::bigint", true),
                part(widget.to_string(), ":widget::bigint", false),
            ];
            markers.retain(|marker| marker.text != "0");
            if let Some(script) = capture::script(&log, &account.to_string(), &markers)? {
                return Ok(script);
            }
        }
        Err(anyhow::anyhow!("the log has no statement of {write:?}")).context("PostgreSQL does not log")
    }
}

fn install(code: &str, authorization: &str) -> Request {
    Request::new("POST", &format!("/api/v4/widgets/{code}"), &[("authorization", authorization)], SETTINGS, 200)
}

fn uninstall(code: &str, authorization: &str) -> Request {
    Request::new("DELETE", &format!("/api/v4/widgets/{code}"), &[("authorization", authorization)], "", 204)
}

fn proceed(bot: u64, record: u64, authorization: &str) -> Request {
    let path = format!("/api/v4/salesbot/{bot}/continue/{record}");
    Request::new("POST", &path, &[("authorization", authorization)], CONTINUE, 202)
}
