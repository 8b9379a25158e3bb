//! What the catalogue must look like to everybody after any sequence of changes: the rules once more, in as few words as they need.

use std::collections::{BTreeMap, BTreeSet};

/// Account and user.
pub type User = (i64, i64);

/// A widget as a list shows it: code, version, rating, whether it is active in the account.
pub type Shown = (String, String, String, bool);

/// What somebody does.
#[derive(Debug, Clone)]
pub enum Step {
    /// Publishes the next version; a new widget with this visibility.
    Publish {
        public: bool,
    },
    /// Shows or hides it.
    Visibility {
        public: bool,
    },
    /// Takes its newest version back, or gives it free again.
    Yank {
        yanked: bool,
    },
    /// Hands it over.
    HandOver(User),
    /// Deletes it; as an operator, from everybody's hands.
    Delete {
        force: bool,
    },
    Install,
    Uninstall,
    /// Votes for it.
    Rate(i64),
}

#[derive(Debug)]
struct Widget {
    code: String,
    owner: User,
    public: bool,
    deleted: bool,
    /// The last part of each version, and whether it is yanked.
    versions: Vec<(u32, bool)>,
    installs: BTreeSet<i64>,
    votes: BTreeMap<User, i64>,
}

/// The widgets in the order in which they came.
#[derive(Debug, Default)]
pub struct Model {
    widgets: Vec<Widget>,
    published: u32,
}

impl Model {
    /// The version that the next publishing gives.
    pub fn next_version(&self) -> String {
        format!("1.0.{}", self.published + 1)
    }

    /// The newest version of a widget, yanked or not.
    pub fn newest(&self, code: &str) -> Option<String> {
        let widget = self.widgets.iter().find(|widget| widget.code == code)?;
        widget.versions.last().map(|(version, _)| format!("1.0.{version}"))
    }

    /// Whose a widget is.
    pub fn owner(&self, code: &str) -> Option<User> {
        self.widgets.iter().find(|widget| widget.code == code).map(|widget| widget.owner)
    }

    /// Takes a step; returns the status of its answer.
    pub fn take(&mut self, user: User, code: &str, step: &Step) -> u16 {
        let next = self.published + 1;
        let Some(widget) = self.widgets.iter_mut().find(|widget| widget.code == code) else {
            let Step::Publish { public } = *step else { return 404 };
            let (versions, installs, votes) = (vec![(next, false)], BTreeSet::new(), BTreeMap::new());
            let code = code.to_owned();
            self.widgets.push(Widget { code, owner: user, public, deleted: false, versions, installs, votes });
            self.published = next;
            return 201;
        };
        let status = widget.take(user, step, next);
        self.published += u32::from(status == 201);
        status
    }

    /// What a user's list shows.
    pub fn list(&self, user: User) -> Vec<Shown> {
        self.widgets.iter().filter(|widget| widget.is_seen(user)).map(|widget| widget.shown(user)).collect()
    }
}

impl Widget {
    fn current(&self) -> Option<u32> {
        self.versions.iter().rev().find(|(_, yanked)| !yanked).map(|(version, _)| *version)
    }

    fn is_seen(&self, user: User) -> bool {
        self.current().is_some() && (self.public || self.owner == user || self.installs.contains(&user.0))
    }

    fn shown(&self, (account, _): User) -> Shown {
        let (sum, count) = (self.votes.values().sum::<i64>(), i64::try_from(self.votes.len()).unwrap());
        let tenths = if count == 0 { 0 } else { (sum * 20 + count) / (count * 2) };
        let rating = if tenths == 0 { "0".to_owned() } else { format!("{},{}", tenths / 10, tenths % 10) };
        let version = format!("1.0.{}", self.current().unwrap());
        (self.code.clone(), version, rating, self.installs.contains(&account))
    }

    fn take(&mut self, user: User, step: &Step, next: u32) -> u16 {
        let (owns, account) = (self.owner == user, user.0);
        match *step {
            Step::Publish { .. } if !owns => 409,
            Step::Publish { public } => {
                // What is public stays so.
                self.public |= public;
                self.deleted = false;
                self.versions.push((next, false));
                201
            }
            Step::Delete { force: true } if self.deleted => 404,
            Step::Delete { force } if force || owns && !self.deleted => {
                if !force && !self.installs.is_empty() {
                    return 409;
                }
                (self.deleted, self.public) = (true, false);
                self.versions.clear();
                self.installs.clear();
                self.votes.clear();
                204
            }
            Step::Visibility { .. } | Step::Yank { .. } | Step::HandOver(_) | Step::Delete { .. }
                if !owns || self.deleted =>
            {
                404
            }
            Step::Visibility { public: false } if self.installs.iter().any(|other| *other != account) => 409,
            Step::Visibility { public } => {
                self.public = public;
                200
            }
            Step::Yank { yanked } => {
                self.versions.last_mut().unwrap().1 = yanked;
                200
            }
            Step::HandOver(to) => {
                self.owner = to;
                200
            }
            Step::Delete { .. } => unreachable!("judged above"),
            Step::Install if self.is_seen(user) => {
                self.installs.insert(account);
                200
            }
            Step::Uninstall if self.installs.remove(&account) => 204,
            Step::Rate(stars) if self.installs.contains(&account) && self.current().is_some() => {
                self.votes.insert(user, stars);
                200
            }
            Step::Install | Step::Uninstall | Step::Rate(_) => 404,
        }
    }
}
