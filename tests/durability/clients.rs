//! Bots that begin to wait, and widgets that continue them.

use std::time::Duration;

use serde_json::json;

use crate::book::Chance;
use crate::call::{Caller, Reply};
use crate::checker::{Operation, Outcome};

/// Bots. Every fifth has its events fetched, the others have them pushed.
const BOTS: u64 = 250;

/// Time before something is tried again that could not be done.
const AGAIN: Duration = Duration::from_millis(20);

/// The bytes of `data` of a continue.
pub fn data_of(number: u64) -> String {
    // Spaces, an escape and the length of the text are the continue's own: what comes out must be these very bytes.
    let text = "long ".repeat(usize::try_from(number % 40).unwrap());
    format!(r#"{{"number": {number},  "text":"\u0041 {text}"}}"#)
}

/// One client: opens a record, continues it, and the next.
#[derive(Debug)]
pub struct Client {
    /// One for each server.
    pub callers: Vec<Caller>,
    pub chance: Chance,
    pub callback_url: String,
}

impl Client {
    pub async fn run(mut self) {
        while !self.caller().book.clients_end() {
            let bot = 1 + i64::try_from(self.chance.below(BOTS)).unwrap();
            let Some(record) = self.open(bot).await else { continue };
            let number = self.caller().book.number();
            if self.chance.in_thousand(50) {
                // Two continue the same record at once: one of them wins.
                let (one, other) = (self.caller(), self.caller());
                let rival = one.book.number();
                tokio::join!(once(&one, bot, record, number, None), once(&other, bot, record, rival, None));
            } else {
                self.proceed(bot, record, number).await;
            }
        }
    }

    /// Any server.
    fn caller(&mut self) -> Caller {
        let any = self.chance.below(self.callers.len() as u64);
        self.callers[usize::try_from(any).unwrap()].clone()
    }

    /// Opens a record, with the same reference until it is known; `None` when it is time to end.
    async fn open(&mut self, bot: i64) -> Option<i64> {
        let caller = self.caller();
        let mut body = json!({"widget_code": "bot_widget", "entity": {"type": "leads", "id": bot}, "reference": format!("r{}", caller.book.number())});
        if bot % 5 != 0 {
            body["callback_url"] = self.callback_url.as_str().into();
        }
        let (path, body) = (format!("/registry/v1/salesbot/{bot}/continuations"), body.to_string());
        while !caller.book.clients_end() {
            let reply = self.caller().post(&path, body.clone(), &[]).await;
            match &reply {
                Reply::Answer(200 | 201, _) => return reply.json()["continue_id"].as_i64(),
                Reply::Answer(status @ 400..500, answer) => panic!("a record is refused: {status} {answer}"),
                _ => tokio::time::sleep(AGAIN).await,
            }
        }
        None
    }

    /// Continues a record, and again while it is unknown whether it was: always with a key, now and then without.
    async fn proceed(&mut self, bot: i64, record: i64, number: u64) {
        let key = self.chance.in_thousand(600).then(|| format!("k{number}"));
        while once(&self.caller(), bot, record, number, key.as_deref()).await == Outcome::Unknown {
            if self.caller().book.clients_end() || !(key.is_some() || self.chance.in_thousand(300)) {
                return;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// One request, and its line in the history.
async fn once(caller: &Caller, bot: i64, record: i64, number: u64, key: Option<&str>) -> Outcome {
    let body = format!(r#"{{"data":{}}}"#, data_of(number));
    let headers: Vec<_> = key.map(|key| ("idempotency-key", key)).into_iter().collect();
    let invoked = caller.book.now();
    let reply = caller.post(&format!("/api/v4/salesbot/{bot}/continue/{record}"), body, &headers).await;
    let (ended, outcome) = (caller.book.now(), reply.outcome());
    if let Reply::Answer(status, _) = &reply {
        caller.book.count(&format!("answers to continues: {status}"));
    }
    caller.book.operation(Operation { number, bot, record, invoked, ended, outcome });
    outcome
}
