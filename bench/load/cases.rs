//! What is measured.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use super::client::{Next, Request};
use super::party::{Party, Script, Target, Timing, Work, compete};
use super::raw::Raw;
use super::report::{Compared, Figures};
use super::world::{ONE, Read, Registry};
use super::writes::Write;

/// A case by its name.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    pub what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Of an account, the path, and whether the client has it already.
    Read(u64, Page, bool),
    /// The same with a database that the service does not run; the statement is the least that it needs.
    External(Page, &'static str),
    Write(Write),
    Mix,
    ColdStart,
}

/// What is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    Widget,
    List(u64),
    First,
    Last,
}

const ONE_INSTALL: &str = "SELECT pipeline_id FROM installs WHERE account_id = :account AND widget_id = :widget;\n";
const ALL_INSTALLS: &str =
    "SELECT array_agg(widget_id), array_agg(pipeline_id) FROM installs WHERE account_id = :account;\n";

const fn case(name: &'static str, what: What) -> Case {
    Case { name, what }
}

pub const CASES: [Case; 17] = [
    case("one", What::Read(1, Page::Widget, false)),
    case("list-50", What::Read(1, Page::List(50), false)),
    case("list-250", What::Read(1, Page::List(250), false)),
    case("page-1", What::Read(1, Page::First, false)),
    case("page-last", What::Read(1, Page::Last, false)),
    case("list-0-installs", What::Read(2, Page::List(50), false)),
    case("list-500-installs", What::Read(3, Page::List(50), false)),
    case("304-one", What::Read(1, Page::Widget, true)),
    case("304-list", What::Read(1, Page::List(50), true)),
    case("external-one", What::External(Page::Widget, ONE_INSTALL)),
    case("external-list-50", What::External(Page::List(50), ALL_INSTALLS)),
    case("install", What::Write(Write::Install)),
    case("reinstall", What::Write(Write::Reinstall)),
    case("uninstall", What::Write(Write::Uninstall)),
    case("continue", What::Write(Write::Continue)),
    case("mix", What::Mix),
    case("cold-start", What::ColdStart),
];

/// The reads of the mix with their shares; the rest installs anew.
const OF_MIX: [(f64, What); 2] =
    [(0.6, What::Read(1, Page::Widget, false)), (0.3, What::Read(1, Page::List(50), false))];

/// Every read that some cases need an answer to.
pub fn reads(cases: &[Case], registry: &Registry) -> Vec<Read> {
    let of_mix = OF_MIX.iter().map(|(_, what)| *what).filter(|_| cases.iter().any(|case| case.what == What::Mix));
    cases.iter().map(|case| case.what).chain(of_mix).filter_map(|what| what.read(registry)).collect()
}

/// Cases by their names; `304` is both of them. None are all.
pub fn chosen(names: &[String]) -> anyhow::Result<Vec<Case>> {
    for name in names {
        let known = CASES.iter().any(|case| is_named(case, name));
        anyhow::ensure!(known, "there is no case {name}; there are {}", CASES.map(|case| case.name).join(", "));
    }
    Ok(CASES.into_iter().filter(|case| names.is_empty() || names.iter().any(|name| is_named(case, name))).collect())
}

fn is_named(case: &Case, name: &str) -> bool {
    case.name == name || case.name.strip_prefix(name).is_some_and(|rest| name == "304" && rest.starts_with('-'))
}

impl What {
    /// What is read from a registry; nothing for what is no read.
    pub fn read(self, registry: &Registry) -> Option<Read> {
        let (account, path, is_conditional) = match self {
            Self::Read(account, path, is_conditional) => (account, path, is_conditional),
            Self::External(path, _) => (1, path, false),
            Self::Write(_) | Self::Mix | Self::ColdStart => return None,
        };
        let path = match path {
            Page::Widget => ONE.to_owned(),
            Page::List(limit) => format!("/api/v4/widgets?limit={limit}"),
            Page::First => "/api/v4/widgets?page=1&limit=250".to_owned(),
            Page::Last => format!("/api/v4/widgets?page={}&limit=250", registry.last_page(250)),
        };
        Some(Read { account, path, is_conditional })
    }
}

/// Where cases are measured.
pub struct Place<'a> {
    pub registry: &'a Registry,
    /// The same service with more of everything.
    pub large: Option<&'a Registry>,
    pub raw: &'a Raw,
    pub timing: &'a Timing,
    pub folder: &'a Path,
}

impl Place<'_> {
    /// Measures a case. The first of the figures is the service's.
    pub async fn measure(&self, case: Case) -> anyhow::Result<Vec<Figures>> {
        let (parties, compared) = match case.what {
            What::Read(..) => (self.reads(case.what, None).await?, Compared::Both),
            What::External(_, statement) => (self.reads(case.what, Some(statement)).await?, Compared::Both),
            What::Write(write) => (self.writes(write).await?, Compared::Postgres),
            What::Mix => (self.mixes().await?, Compared::Both),
            What::ColdStart => return Ok(Vec::new()),
        };
        let series = compete(&parties, self.timing).await?;
        let limit = series.iter().find(|series| series.name.starts_with("limit"));
        let small = series.first();
        let figures = series.iter().enumerate().map(|(at, one)| match at {
            0 => one.figures(case.name, limit, compared),
            _ if one.name.starts_with("limit") => one.figures(case.name, None, compared),
            // How much more it costs than with less.
            _ => one.figures(case.name, small, Compared::Both),
        });
        Ok(figures.collect())
    }

    fn all(&self) -> impl Iterator<Item = &Registry> {
        std::iter::once(self.registry).chain(self.large)
    }

    async fn reads(&self, what: What, statement: Option<&str>) -> anyhow::Result<Vec<Party<'_>>> {
        let mut parties = Vec::new();
        for registry in self.all() {
            let Some(read) = what.read(registry) else { continue };
            let (next, _) = registry.read(&read).await?;
            parties.push(party(registry, Work::Fixed(next)));
        }
        if let Some(read) = what.read(self.registry) {
            let raw = self.of_raw(&read).await?;
            let (name, target) = match statement {
                None => ("limit: raw", raw),
                Some(statement) => {
                    ("limit: raw + SELECT", Target::Shares(vec![(1.0, raw), (1.0, self.select(statement))]))
                }
            };
            parties.push(Party { name: name.to_owned(), target });
        }
        Ok(parties)
    }

    async fn of_raw(&self, read: &Read) -> anyhow::Result<Target<'_>> {
        let work = Work::Fixed(self.registry.read(read).await?.0);
        Ok(Target::Http { address: self.raw.address, server: self.raw.server(), postgres: None, work })
    }

    /// The owner of everything is held up by no policy, and so needs no transaction around the statement.
    fn select(&self, statement: &str) -> Target<'_> {
        let constants = vec![("account".to_owned(), "1".to_owned()), ("widget".to_owned(), "1".to_owned())];
        let script = Script { role: "postgres", lines: statement.to_owned(), constants };
        Target::Pgbench { script, writes: None, database: &self.registry.service.database, folder: self.folder }
    }

    async fn writes(&self, write: Write) -> anyhow::Result<Vec<Party<'_>>> {
        let mut parties: Vec<_> =
            self.all().map(|registry| party(registry, Work::Write(&registry.writer, write))).collect();
        let (statements, target) = self.of_pgbench(write).await?;
        parties.push(Party { name: format!("limit: pgbench, {statements} statements"), target });
        Ok(parties)
    }

    /// The statements that the service sends for a write, and how many they are.
    async fn of_pgbench(&self, write: Write) -> anyhow::Result<(usize, Target<'_>)> {
        let Registry { service, tokens, writer, .. } = self.registry;
        let captured = writer.script(write, service, tokens).await?;
        let database = &service.database;
        let script = Script { role: database.service_role, lines: captured.lines, constants: captured.constants };
        let writes = Some((writer, write));
        Ok((captured.statements, Target::Pgbench { script, writes, database, folder: self.folder }))
    }

    async fn mixes(&self) -> anyhow::Result<Vec<Party<'_>>> {
        let mut parties = Vec::new();
        for registry in self.all() {
            parties.push(party(registry, Work::Fixed(mix(registry, self.timing.connections)?)));
        }
        let mut shares = Vec::new();
        for (share, read) in OF_MIX {
            if let Some(read) = read.read(self.registry) {
                shares.push((share, self.of_raw(&read).await?));
            }
        }
        shares.push((0.1, self.of_pgbench(Write::Reinstall).await?.1));
        parties.push(Party { name: "limit: raw, pgbench".to_owned(), target: Target::Shares(shares) });
        Ok(parties)
    }
}

fn party<'a>(registry: &'a Registry, work: Work<'a>) -> Party<'a> {
    let service = &registry.service;
    let (server, postgres) = (service.server(), Some(service.database.postmaster));
    Party { name: registry.name.to_owned(), target: Target::Http { address: service.address, server, postgres, work } }
}

/// Of ten requests six are for one widget, three for a list, and one installs anew.
fn mix(registry: &Registry, connections: usize) -> anyhow::Result<Next> {
    let authorization = registry.tokens.authorization(1)?;
    let headers = [("authorization", authorization.as_str())];
    let one = Rc::new(Request::new("GET", ONE, &headers, "", 200));
    let list = Rc::new(Request::new("GET", "/api/v4/widgets?limit=50", &headers, "", 200));
    let writes = registry.writer.requests(Write::Reinstall, (0, 0), connections);
    let sent = RefCell::new((0..connections).collect::<Vec<_>>());
    Ok(Rc::new(move |connection| {
        let mut sent = sent.borrow_mut();
        sent[connection] += 1;
        match sent[connection] % 10 {
            0 => writes(connection),
            1..=3 => Some(list.clone()),
            _ => Some(one.clone()),
        }
    }))
}
