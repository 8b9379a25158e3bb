//! Two servers of one database and any sequence of changes: who asks the server that made a change sees it at once, who asks the other
//! sees it when the question begins a second later, and nobody ever sees what is neither public nor theirs after that.

use std::time::{Duration, Instant};

use super::model::{Model, Shown, Step, User};
use crate::support::{Answer, Claims, Client, Sample, Setup, TestApp, test_two_with, test_with};

const BOUND: Duration = Duration::from_secs(1);
const USERS: [User; 4] = [(1, 7), (1, 8), (2, 7), (3, 9)];
const CODES: [&str; 4] = ["a", "b", "c", "d"];
const STEPS: usize = 150;
const TURN: usize = 5;

/// Numbers that look random and are the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn step(&mut self) -> Step {
        let (first, second) = (self.below(2) == 0, self.below(4) == 0);
        match self.below(14) {
            0..=2 => Step::Publish { public: second },
            3 | 4 => Step::Visibility { public: first },
            5 | 6 => Step::Yank { yanked: first },
            7 => Step::HandOver(self.one(&USERS)),
            8 => Step::Delete { force: first },
            9..=11 => Step::Install,
            12 => Step::Uninstall,
            _ => Step::Rate(i64::try_from(self.below(5)).unwrap() + 1),
        }
    }
}

fn client(app: &TestApp, (account, user): User) -> Client {
    app.caller(Claims::admin(account, user).scopes(&["publish", "publish:public", "operator"]))
}

async fn take(client: &Client, model: &Model, code: &str, step: &Step) -> Answer {
    let widget = format!("/registry/v1/widgets/{code}");
    match step {
        Step::Publish { public } => {
            let zip = Sample::plain(code).version(&model.next_version()).zip();
            // Publishing cannot hide what is public.
            let visibility = if *public { "&visibility=public" } else { "" };
            let path = format!("/registry/v1/widgets?code={code}{visibility}");
            client.post_bytes(&path, "application/zip", zip).await
        }
        Step::Visibility { public } => {
            let visibility = if *public { "public" } else { "private" };
            let body = format!(r#"{{"visibility":"{visibility}"}}"#);
            client.put(&format!("{widget}/visibility"), &body).await
        }
        Step::Yank { yanked } => {
            let version = model.newest(code).unwrap_or_else(|| "1.0.0".to_owned());
            let verb = if *yanked { "yank" } else { "restore" };
            client.post(&format!("{widget}/versions/{version}/{verb}"), "").await
        }
        Step::HandOver((account, user)) => {
            let body = format!(r#"{{"account_id":{account},"user_id":{user}}}"#);
            client.put(&format!("{widget}/owner"), &body).await
        }
        Step::Delete { force } => client.delete(&format!("{widget}{}", if *force { "?force=true" } else { "" })).await,
        Step::Install => client.post(&format!("/api/v4/widgets/{code}"), "{}").await,
        Step::Uninstall => client.delete(&format!("/api/v4/widgets/{code}")).await,
        Step::Rate(stars) => client.put(&format!("{widget}/rating"), &format!(r#"{{"stars":{stars}}}"#)).await,
    }
}

fn shown(widget: &serde_json::Value) -> Shown {
    let text = |name: &str| widget[name].as_str().unwrap().to_owned();
    (text("code"), text("version"), text("rating"), widget["is_active_in_account"].as_bool().unwrap())
}

/// Everything that a user sees of the catalogue: by lists of this many, and by each code.
async fn seen(app: &TestApp, user: User, limit: usize) -> (Vec<Shown>, Vec<Shown>) {
    let client = client(app, user);
    let (mut listed, mut single) = (Vec::new(), Vec::new());
    for page in 1.. {
        let answer = client.get(&format!("/api/v4/widgets?limit={limit}&page={page}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let body = answer.json();
        listed.extend(body["_embedded"]["widgets"].as_array().unwrap().iter().map(shown));
        if body["_links"]["next"].is_null() {
            break;
        }
    }
    for code in CODES {
        let answer = client.get(&format!("/api/v4/widgets/{code}")).await;
        match answer.status {
            200 => single.push(shown(&answer.json())),
            _ => assert_eq!(answer.problem(404), "Widget isn't found or is unavailable"),
        }
    }
    listed.sort();
    (listed, single)
}

fn sorted(mut expected: Vec<Shown>) -> Vec<Shown> {
    expected.sort();
    expected
}

fn any_sequence_is_seen_by_two(seed: u64, setup: impl Fn() -> Setup) {
    test_two_with(setup, async |first, second| any_sequence_is_seen(seed, first, second).await);
}

async fn any_sequence_is_seen(seed: u64, first: &TestApp, second: &TestApp) {
    let (mut chance, mut model) = (Chance(seed), Model::default());
    let times = if std::ptr::eq(first, second) { 3 } else { 1 };
    let mut statuses = std::collections::BTreeMap::<u16, usize>::new();
    for number in 0..STEPS {
        // Some steps on one server, then everybody waits until the other has seen them.
        let (here, there) = if (number / TURN).is_multiple_of(2) { (first, second) } else { (second, first) };
        let (code, step) = (chance.one(&CODES), chance.step());
        let owner = model.owner(code).filter(|_| chance.below(2) == 0);
        let user = owner.unwrap_or_else(|| chance.one(&USERS));
        let answer = take(&client(here, user), &model, code, &step).await;
        let changed = Instant::now();
        let status = model.take(user, code, &step);
        assert_eq!(answer.status, status, "{number}: {user:?} {code} {step:?}: {answer:?}");
        *statuses.entry(status).or_default() += 1;
        for user in [user, chance.one(&USERS)] {
            let (expected, limit) = (sorted(model.list(user)), 1 + chance.below(4));
            // From the third time on the only writer gives again what it answered just now.
            for _ in 0..times {
                let (listed, single) = seen(here, user, limit).await;
                assert_eq!((&listed, &single), (&expected, &expected), "{number}: {user:?} {code} {step:?}");
            }
        }
        if number % TURN == TURN - 1 {
            for user in USERS {
                is_seen_in_time(there, user, &sorted(model.list(user)), changed).await;
            }
        }
    }
    // The sequence was worth something.
    assert!(statuses.values().sum::<usize>() - statuses[&404] - statuses[&409] > STEPS / 4, "{statuses:?}");
}

async fn is_seen_in_time(app: &TestApp, user: User, expected: &[Shown], changed: Instant) {
    loop {
        let begun = changed.elapsed();
        let (listed, single) = seen(app, user, 250).await;
        if listed == expected && single == expected {
            return;
        }
        assert!(begun < BOUND, "after {begun:?} {user:?} still sees {listed:?} and {single:?} instead of {expected:?}");
    }
}

#[test]
fn any_sequence_of_changes_is_seen() {
    any_sequence_is_seen_by_two(0x9e37_79b9_7f4a_7c15, Setup::default);
}

#[test]
fn any_other_sequence_of_changes_is_seen() {
    any_sequence_is_seen_by_two(0x2545_f491_4f6c_dd1d, Setup::default);
}

/// What the other server remembers of installs is old by a quarter of the bound at most.
#[test]
fn any_sequence_of_changes_is_seen_by_servers_that_remember_installs() {
    any_sequence_is_seen_by_two(0x9e37_79b9_7f4a_7c15, || Setup::default().set("stale_ok", "250ms"));
}

#[test]
fn any_sequence_of_changes_is_seen_by_the_only_writer() {
    let setup = Setup { only_writer: true, ..Setup::default() };
    test_with(setup, async |app| any_sequence_is_seen(0x6a09_e667_f3bc_c908, app, app).await);
}
