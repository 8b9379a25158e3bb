//! The bot engine: takes pushed events, fetches the others, and writes everything down before it answers.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::book::{Book, Chance};
use crate::call::{Caller, Reply};
use crate::checker::{Arrival, Conclusion, Grant};
use crate::clients::data_of;

/// What is read of an event.
#[derive(Deserialize)]
struct Event<'a> {
    r#type: &'a str,
    continue_id: i64,
    bot_id: i64,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Number {
    number: u64,
}

fn arrival(webhook_id: &str, body: &[u8], at: u64) -> Arrival {
    let event: Event<'_> = serde_json::from_slice(body).expect("an event");
    let number = event.data.and_then(|data| {
        let number = serde_json::from_str::<Number>(data.get()).ok()?.number;
        (data.get() == data_of(number) && event.r#type == "continuation.continued").then_some(number)
    });
    let (bot, record) = (event.bot_id, event.continue_id);
    Arrival { webhook_id: webhook_id.to_owned(), bot, record, number, body: body.to_vec(), at }
}

/// Takes pushed events; returns the address to push to.
pub async fn listen(book: Arc<Book>, seed: u64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/events", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut chance = Chance::new(seed);
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(stream, book.clone(), Chance::new(chance.below(u64::MAX))));
        }
    });
    url
}

async fn converse(mut stream: TcpStream, book: Arc<Book>, mut chance: Chance) {
    let mut bytes = Vec::new();
    while let Some((webhook_id, body)) = read(&mut stream, &mut bytes).await {
        let arrival = arrival(&webhook_id, &body, book.now());
        book.write(|history| history.arrivals.push(arrival));
        // Once all clients are done the engine is well, so that the end comes soon.
        let status = match chance.below(1_000) {
            _ if book.clients_end() => 204,
            0..30 => 500,
            30..40 => {
                book.count("pushes: no answer");
                return;
            }
            40..50 => {
                tokio::time::sleep(Duration::from_millis(500 + chance.below(2_500))).await;
                204
            }
            50 => {
                book.count("pushes: an answer too late");
                tokio::time::sleep(Duration::from_secs(17)).await;
                204
            }
            _ => 204,
        };
        book.count(&format!("pushes: {status}"));
        if stream.write_all(format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n").as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The next request's `webhook-id` and body; `None` when the connection was closed.
async fn read(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<(String, Vec<u8>)> {
    let mut buffer = vec![0; 16_384];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            let length: usize = header("content-length:").map_or(0, |length| length.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                let id = header("webhook-id:").unwrap_or_default().to_owned();
                let body = bytes[end + 4..end + 4 + length].to_vec();
                bytes.drain(..end + 4 + length);
                return Some((id, body));
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}

#[derive(Deserialize)]
struct Lease<'a> {
    #[serde(borrow)]
    deliveries: Vec<Leased<'a>>,
}

#[derive(Deserialize)]
struct Leased<'a> {
    id: i64,
    webhook_id: String,
    lease_token: String,
    attempt: u64,
    #[serde(borrow)]
    event: &'a RawValue,
}

/// Fetches events. A slow one holds each until its lease is over and somebody else has it, and says then that it could not take it;
/// once all clients are done it takes no more, so that the end comes soon.
pub async fn fetch(callers: Vec<Caller>, mut chance: Chance, slow: bool) {
    let book = callers[0].book.clone();
    while !book.engine_ends() && !(slow && book.clients_end()) {
        let caller = &callers[usize::try_from(chance.below(callers.len() as u64)).unwrap()];
        let body = json!({"max": if slow { 1 } else { 10 }, "wait_seconds": 1}).to_string();
        let Reply::Answer(200, text) = caller.post("/registry/v1/deliveries/lease", body, &[]).await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let lease: Lease<'_> = serde_json::from_str(&text).expect("leases");
        for leased in lease.deliveries {
            let at = book.now();
            let arrival = arrival(&leased.webhook_id, leased.event.get().as_bytes(), at);
            book.write(|history| {
                history.arrivals.push(arrival);
                let webhook_id = leased.webhook_id.clone();
                history.grants.push(Grant { webhook_id, attempt: leased.attempt, at });
            });
            let how = match chance.below(1_000) {
                _ if slow => How::Late,
                _ if book.clients_end() => How::Ack,
                0..30 => How::Nack,
                30..34 => How::Forget,
                _ => How::Ack,
            };
            if leased.attempt > 1 && !slow {
                // Time for whoever had it before to come too late.
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            conclude(caller, &leased, how).await;
        }
    }
}

#[derive(Clone, Copy)]
enum How {
    Ack,
    Nack,
    Late,
    Forget,
}

async fn conclude(caller: &Caller, leased: &Leased<'_>, how: How) {
    let book = &caller.book;
    let (id, token) = (leased.id, &leased.lease_token);
    let ack = (format!("/registry/v1/deliveries/{id}/ack"), json!({"lease_token": token}));
    let nack = (format!("/registry/v1/deliveries/{id}/nack"), json!({"lease_token": token, "retry_after_seconds": 0}));
    let (path, body) = match how {
        How::Ack => ack,
        How::Nack => nack,
        How::Forget => return,
        How::Late => {
            book.until(|book| book.engine_ends() || is_overtaken(book, leased)).await;
            nack
        }
    };
    let invoked = book.now();
    match caller.post(&path, body.to_string(), &[]).await {
        Reply::Answer(204, _) => {
            book.count("results of leases: accepted");
            let (webhook_id, attempt) = (leased.webhook_id.clone(), leased.attempt);
            book.write(|history| history.conclusions.push(Conclusion { webhook_id, attempt, invoked }));
        }
        Reply::Answer(409, _) => book.count("results of leases: refused, the lease was over"),
        _ => book.count("results of leases: unknown"),
    }
}

/// Whether somebody else has the event by now.
fn is_overtaken(book: &Book, leased: &Leased<'_>) -> bool {
    book.read(|history| {
        let mut grants = history.grants.iter().rev();
        grants.any(|grant| grant.webhook_id == leased.webhook_id && grant.attempt > leased.attempt)
    })
}
