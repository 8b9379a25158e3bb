//! The durability proof's checker, tried on histories that are made up. The proof itself is a program of its own, `main.rs`.

mod checker;

use checker::{Arrival, Conclusion, Findings, Grant, History, Operation, Outcome, check};

const BOT: i64 = 77;

/// One hundred continues of one bot, one after the other, each answered and then arrived; every tenth is sent once more after an unknown
/// outcome, and arrives twice.
fn lawful() -> History {
    let mut history = History::default();
    for number in 0..100 {
        let (at, record) = (number * 100, record_of(number));
        if number % 10 == 0 {
            history.operations.push(operation(number, at, Outcome::Unknown));
            history.arrivals.push(arrival(number, at + 5));
        }
        history.operations.push(operation(number, at + 10, Outcome::Acknowledged));
        history.arrivals.push(arrival(number, at + 50));
        history.shown_continued.push(record);
    }
    history
}

fn record_of(number: u64) -> i64 {
    i64::try_from(number).unwrap() + 1_000
}

fn operation(number: u64, invoked: u64, outcome: Outcome) -> Operation {
    Operation { number, bot: BOT, record: record_of(number), invoked, ended: invoked + 5, outcome }
}

fn arrival(number: u64, at: u64) -> Arrival {
    let (webhook_id, body) = (format!("evt_1_{number}"), format!("{number}").into_bytes());
    Arrival { webhook_id, bot: BOT, record: record_of(number), number: Some(number), body, at }
}

/// The only findings are these: their kind and how many.
fn finds(history: &History, kind: &str, count: usize) -> Findings {
    let findings = check(history);
    for (name, found) in findings.kinds() {
        assert_eq!(found.len(), if name == kind { count } else { 0 }, "{name}: {found:?}");
    }
    findings
}

#[test]
fn a_lawful_history_has_no_findings() {
    assert!(check(&lawful()).is_clean());
    assert!(check(&History::default()).is_clean());
}

#[test]
fn one_lost_is_found() {
    let mut history = lawful();
    history.arrivals.retain(|arrival| arrival.number != Some(42));
    assert_eq!(finds(&history, "lost", 1).lost, ["continue 42 of record 1042 was acknowledged"]);
}

#[test]
fn what_is_shown_as_continued_counts_as_acknowledged() {
    let mut history = lawful();
    history.operations.push(operation(100, 10_000, Outcome::Unknown));
    assert!(check(&history).is_clean(), "an unknown one need not arrive");
    history.shown_continued.push(record_of(100));
    finds(&history, "lost", 1);
}

#[test]
fn an_unknown_one_may_arrive() {
    let mut history = lawful();
    history.operations.push(operation(100, 10_000, Outcome::Unknown));
    history.arrivals.push(arrival(100, 10_050));
    assert!(check(&history).is_clean());
}

#[test]
fn one_invented_is_found() {
    let mut history = lawful();
    history.arrivals.push(arrival(100, 10_050));
    finds(&history, "invented", 1);
}

#[test]
fn an_event_without_a_number_is_invented() {
    let mut history = lawful();
    history.arrivals.push(Arrival { number: None, ..arrival(100, 10_050) });
    finds(&history, "invented", 1);
}

#[test]
fn one_that_was_refused_and_arrives_is_invented() {
    let mut history = lawful();
    history.operations.push(operation(100, 10_000, Outcome::Refused));
    history.arrivals.push(arrival(100, 10_050));
    finds(&history, "invented", 1);
}

#[test]
fn one_that_arrives_for_another_record_or_too_early_is_invented() {
    let mut history = lawful();
    for (number, arrival) in [
        (100, Arrival { record: 5, ..arrival(100, 10_050) }),
        (101, Arrival { bot: 5, ..arrival(101, 10_150) }),
        (102, arrival(102, 10_199)),
    ] {
        history.operations.push(operation(number, number * 100, Outcome::Unknown));
        history.arrivals.push(arrival);
    }
    finds(&history, "invented", 3);
}

#[test]
fn one_double_is_found() {
    let mut history = lawful();
    history.arrivals.push(Arrival { webhook_id: "evt_1_900".to_owned(), ..arrival(42, 4_260) });
    finds(&history, "doubles", 1);
}

#[test]
fn an_event_that_changes_is_a_double() {
    let mut history = lawful();
    history.arrivals.push(Arrival { body: b"other".to_vec(), ..arrival(42, 4_260) });
    finds(&history, "doubles", 1);
}

#[test]
fn two_winners_of_one_record_are_a_double() {
    let mut history = lawful();
    history.operations.push(Operation { record: record_of(42), ..operation(100, 10_000, Outcome::Acknowledged) });
    history.arrivals.push(Arrival {
        record: record_of(42),
        webhook_id: "evt_1_42".to_owned(),
        body: b"42".to_vec(),
        ..arrival(100, 10_050)
    });
    finds(&history, "doubles", 1);
}

#[test]
fn one_inversion_is_found() {
    let mut history = lawful();
    for arrival in &mut history.arrivals {
        if arrival.number == Some(42) {
            arrival.at = 4_355;
        }
    }
    assert_eq!(finds(&history, "inversions", 1).inversions, ["bot 77: continue 43 arrived before 42"]);
}

#[test]
fn what_overlaps_has_no_order() {
    let mut history = lawful();
    history.operations.push(Operation { ended: 10_020, ..operation(100, 10_000, Outcome::Acknowledged) });
    history.operations.push(Operation { ended: 10_030, ..operation(101, 10_010, Outcome::Acknowledged) });
    history.arrivals.push(arrival(101, 10_040));
    history.arrivals.push(arrival(100, 10_050));
    assert!(check(&history).is_clean());
}

#[test]
fn other_bots_have_an_order_of_their_own() {
    let mut history = lawful();
    history.operations.push(operation(100, 10_000, Outcome::Acknowledged));
    history.operations.push(Operation { bot: 5, ..operation(101, 10_100, Outcome::Acknowledged) });
    history.arrivals.push(Arrival { bot: 5, ..arrival(101, 10_150) });
    history.arrivals.push(arrival(100, 10_250));
    assert!(check(&history).is_clean());
}

#[test]
fn a_result_after_the_next_lease_is_found() {
    let mut history = lawful();
    let grant = |attempt, at| Grant { webhook_id: "evt_1_42".to_owned(), attempt, at };
    let conclusion = |attempt, invoked| Conclusion { webhook_id: "evt_1_42".to_owned(), attempt, invoked };
    history.grants.extend([grant(1, 4_250), grant(2, 4_260)]);
    history.conclusions.extend([conclusion(1, 4_255), conclusion(2, 4_270)]);
    assert!(check(&history).is_clean());
    history.conclusions.push(conclusion(1, 4_265));
    finds(&history, "stale results", 1);
}
