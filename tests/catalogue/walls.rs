//! Nobody sees somebody else's private widget, whatever is asked for: every combination of filters, held against the rule itself.

use std::collections::BTreeSet;

use super::{LIST, every};
use crate::support::{Claims, Client, Sample, TestApp, test};

/// A widget and what decides who sees it.
struct Known {
    code: &'static str,
    owner: (i64, i64),
    public: bool,
    installed: &'static [i64],
}

const KNOWN: [Known; 7] = [
    Known { code: "public_one", owner: (1, 7), public: true, installed: &[1, 2] },
    Known { code: "public_two", owner: (2, 7), public: true, installed: &[] },
    Known { code: "private_one", owner: (1, 7), public: false, installed: &[] },
    Known { code: "private_kept", owner: (1, 7), public: false, installed: &[1] },
    Known { code: "private_two", owner: (2, 7), public: false, installed: &[] },
    Known { code: "private_colleague", owner: (1, 8), public: false, installed: &[] },
    Known { code: "private_third", owner: (3, 7), public: false, installed: &[3] },
];

/// The choices of one filter: what is sent, and which widgets it leaves for a user of an account.
type Choice = (&'static str, fn(&Known, (i64, i64)) -> bool);

const VISIBILITIES: [Choice; 3] =
    [("", |_, _| true), ("visibility=public", |w, _| w.public), ("visibility=private", |w, _| !w.public)];
const OWNERS: [Choice; 3] =
    [("", |_, _| true), ("mine=true", |w, who| w.owner == who), ("mine=false", |w, who| w.owner != who)];
const INSTALLED: [Choice; 3] = [
    ("", |_, _| true),
    ("installed=true", |w, who| w.installed.contains(&who.0)),
    ("installed=false", |w, who| !w.installed.contains(&who.0)),
];
const TERMS: [Choice; 4] = [
    ("", |_, _| true),
    ("q=priv", |w, _| w.code.starts_with("private")),
    ("q=one&location=settings", |w, _| w.code.ends_with("one")),
    ("dp=false&lead_source=false", |_, _| true),
];

const SORTS: [&str; 4] = ["newest", "name", "rating", "installs"];

async fn build(app: &TestApp) {
    for Known { code, owner, public, installed } in KNOWN {
        let publisher = app.caller(Claims::admin(owner.0, owner.1).scopes(&["publish", "publish:public"]));
        app.publish_as(&publisher, &Sample::plain(code), if public { "public" } else { "private" }).await;
        for account in installed {
            // The owner installs it; colleagues have it from there.
            let answer = app.caller(Claims::admin(*account, 7)).post(&format!("/api/v4/widgets/{code}"), "{}").await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
    app.count_installs().await;
}

async fn hold(caller: &Client, who: (i64, i64), query: &str, fits: impl Fn(&Known) -> bool) {
    let sees = |w: &Known| w.public || w.owner == who || w.installed.contains(&who.0);
    let expected: BTreeSet<String> = KNOWN.iter().filter(|w| sees(w) && fits(w)).map(|w| w.code.to_owned()).collect();
    let found = every(caller, query).await;
    assert_eq!(found.len(), found.iter().collect::<BTreeSet<_>>().len(), "{who:?} {query}: {found:?}");
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected, "{who:?} {query}");
}

#[test]
fn every_caller_finds_exactly_what_the_rule_shows() {
    test(async |app| {
        build(app).await;
        for who in [(1, 7), (1, 8), (2, 7), (3, 9), (4, 7)] {
            let caller = app.caller(Claims::user(who.0, who.1));
            let mut number = 0;
            for (visibility, is_visible) in VISIBILITIES {
                for (owner, is_owned) in OWNERS {
                    for (installed, is_installed) in INSTALLED {
                        for (terms, has_terms) in TERMS {
                            // Orders and sizes of pages take turns, and meet every filter with one caller or another.
                            let sort = SORTS[(number + usize::try_from(who.0).unwrap()) % 4];
                            let limit = number % 3 + 1;
                            number += 1;
                            let query = format!("{visibility}&{owner}&{installed}&{terms}&sort={sort}&limit={limit}");
                            let fits = |w: &Known| {
                                is_visible(w, who) && is_owned(w, who) && is_installed(w, who) && has_terms(w, who)
                            };
                            hold(&caller, who, &query, fits).await;
                        }
                    }
                }
            }
            for Known { code, owner, public, installed } in KNOWN {
                let sees = public || owner == who || installed.contains(&who.0);
                assert_eq!(
                    caller.get(&format!("{LIST}/{code}")).await.status,
                    if sees { 200 } else { 404 },
                    "{who:?} {code}"
                );
            }
        }
    });
}

#[test]
fn what_is_hidden_or_shown_is_so_at_once() {
    test(async |app| {
        build(app).await;
        let stranger = app.caller(Claims::user(4, 7));
        let owner = app.caller(Claims::admin(2, 7).scopes(&["publish", "publish:public"]));
        for (visibility, count) in [("private", 0), ("public", 1), ("private", 0)] {
            let answer = owner
                .put(&format!("{LIST}/public_two/visibility"), &format!("{{\"visibility\":\"{visibility}\"}}"))
                .await;
            assert_eq!(answer.status, 200, "{answer:?}");
            for query in ["", "q=two", "sort=name", "sort=rating", "sort=installs", "dp=false", "installed=false"] {
                let found = every(&stranger, query).await;
                let seen = found.iter().filter(|code| *code == "public_two").count();
                assert_eq!(seen, count, "{visibility} {query}");
                assert_eq!(every(&owner, query).await.iter().filter(|code| *code == "public_two").count(), 1);
            }
        }
    });
}
