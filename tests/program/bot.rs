//! `bot run` and `bot widget`: each against a stand-in for the registry, and both against a real one.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::server::{folder, program};
use crate::support::record::Run as _;

/// What the registry was asked.
pub(super) struct Asked {
    /// Method and path.
    pub(super) what: String,
    pub(super) head: String,
    pub(super) body: Value,
}

/// Answers like a registry, as far as a test says; tells what it was asked.
pub(super) struct Registry {
    pub(super) url: String,
    asked: Receiver<Asked>,
}

impl Registry {
    pub(super) fn start(mut answer: impl FnMut(&Asked) -> (u16, Value) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (tell, asked) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = read(&stream);
                let (status, body) = answer(&request);
                // The test may have seen enough.
                let _ = tell.send(request);
                let body = if body.is_null() { String::new() } else { body.to_string() };
                let length = body.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
            }
        });
        Self { url, asked }
    }

    pub(super) fn next(&self) -> Asked {
        self.asked.recv_timeout(Duration::from_secs(30)).unwrap()
    }

    pub(super) fn program(&self) -> Command {
        let mut command = program();
        command
            .env("WIDGET_REGISTRY_TOKEN", crate::support::secret("secret-token"))
            .env("WIDGET_REGISTRY_SERVER", &self.url);
        command
    }

    /// Runs the sample flow.
    pub(super) fn play(&self, more: &[&str]) -> Output {
        let flow = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/flows/order.json");
        self.program().args(["bot", "run", flow, "--entity", "leads:77"]).args(more).run()
    }
}

fn read(stream: &TcpStream) -> Asked {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let what = head.lines().next().unwrap().strip_suffix(" HTTP/1.1").unwrap().to_owned();
    Asked { what, head, body: serde_json::from_slice(&body).unwrap_or_default() }
}

/// What the registry tells of a wait.
fn delivery(id: i64, continue_id: i64, kind: &str, told: Value) -> Value {
    let mut event = json!({
        "type": format!("continuation.{kind}"), "continue_id": continue_id, "account_id": 1, "bot_type": "salesbot",
        "bot_id": 1, "widget_code": "demo_bot_step", "entity": {"type": "leads", "id": 77}, "reference": "r",
        "data": null, "execute_handlers": null, "failure": null, "closed_at": "2026-11-22T23:18:04Z"
    });
    event.as_object_mut().unwrap().extend(told.as_object().unwrap().clone());
    json!({"deliveries": [{"id": id, "lease_token": format!("lease-{id}"), "attempt": 1, "event": event}]})
}

/// A registry whose leases give these, one after the other.
fn registry_with(leases: Vec<Value>) -> Registry {
    let mut leases = leases.into_iter();
    Registry::start(move |asked| match asked.what.as_str() {
        "POST /registry/v1/salesbot/1/continuations" => (
            201,
            json!({"continue_id": 5, "return_url": "u", "expires_at": "2026-11-22T23:23:04Z", "state": "waiting"}),
        ),
        "POST /registry/v1/deliveries/lease" => (200, leases.next().unwrap()),
        _ => (204, Value::Null),
    })
}

pub(super) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_flow_is_run_to_its_exit() {
    let continued = json!({"data": {"status": "success", "day": "Monday"}, "execute_handlers": [
        {"handler": "show", "params": {"type": "buttons_url", "value": "See", "buttons": ["https://shop.test"]}}
    ]});
    let registry = registry_with(vec![
        delivery(8, 4, "continued", json!({})),
        json!({"deliveries": []}),
        delivery(9, 5, "continued", continued),
    ]);
    let output = registry.play(&["--widget", "demo_bot_step", "--say", "A-17", "--timeout", "90s"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        text(&output.stdout),
        "bot       Hello! Which order is it about?\n\
         user      A-17\n\
         bot       asks demo_bot_step at http://127.0.0.1:9000/orders/check and waits until 2026-11-22T23:23:04Z (continuation 5)\n\
         widget    continues with {\"day\":\"Monday\",\"status\":\"success\"}\n\
         bot       See\n          <https://shop.test>\n\
         bot       Order A-17 comes on Monday.\n\
         end       left by the exit `found`\n"
    );
    let opening = registry.next();
    let bearer = format!("authorization: Bearer {}\r\n", crate::support::secret("secret-token"));
    assert!(opening.head.contains(&bearer), "{}", opening.head);
    let reference = opening.body["reference"].as_str().unwrap();
    assert!(reference.starts_with("bot-run-") && reference.len() <= 128, "{reference}");
    assert_eq!(
        opening.body,
        json!({
            "widget_code": "demo_bot_step", "entity": {"type": "leads", "id": 77}, "reference": reference,
            "timeout_seconds": 90, "request": {
                "url": "http://127.0.0.1:9000/orders/check", "data": {"order_number": "A-17", "lead": "77"}, "encoding": "form"
            }
        })
    );
    let lease = ("POST /registry/v1/deliveries/lease", json!({"max": 1, "wait_seconds": 20}));
    let others = json!({"lease_token": "lease-8", "reason": "another bot waits for this", "retry_after_seconds": 2});
    for (what, body) in [
        lease.clone(),
        ("POST /registry/v1/deliveries/8/nack", others),
        lease.clone(),
        lease,
        ("POST /registry/v1/deliveries/9/ack", json!({"lease_token": "lease-9"})),
    ] {
        let asked = registry.next();
        assert_eq!((asked.what.as_str(), asked.body), (what, body));
    }
}

#[test]
fn the_user_may_type_and_the_flow_may_go_round() {
    let registry = registry_with(vec![
        delivery(1, 5, "continued", json!({"data": {"status": "fail"}})),
        delivery(2, 5, "continued", json!({"data": []})),
    ]);
    let mut command = registry.program();
    let flow = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/flows/order.json");
    command.args(["bot", "run", flow, "--entity", "leads:77", "--widget", "demo_bot_step", "--say", "1"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all("Yes\n2\r\nNo".as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let said: Vec<_> = text(&output.stdout).lines().filter(|line| !line.contains("waits until")).collect();
    assert_eq!(
        said,
        [
            "bot       Hello! Which order is it about?",
            "user      1",
            "widget    continues with {\"status\":\"fail\"}",
            "bot       There is no order 1. Another one?",
            "          [Yes] [No]",
            "user      Yes",
            "bot       Hello! Which order is it about?",
            "user      2",
            "widget    continues with []",
            "bot       There is no order 2. Another one?",
            "          [Yes] [No]",
            "user      No",
            "end       left by the exit `missing`"
        ]
    );
}

#[test]
fn a_flow_that_cannot_go_on_fails() {
    let widget = ["--widget", "demo_bot_step", "--say", "1"];
    for (kind, told, expected) in [
        ("expired", json!({}), "end       failed: the widget has not answered in time\n"),
        ("failed", json!({"failure": "no answer"}), "end       failed: no answer\n"),
        (
            "continued",
            json!({"execute_handlers": [{"handler": "goto", "params": {"type": "question", "step": 7}}]}),
            "end       failed: there is no step 7; the last one is 1\n",
        ),
    ] {
        let output = registry_with(vec![delivery(1, 5, kind, told)]).play(&widget);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(text(&output.stdout).ends_with(expected), "{output:?}");
    }
    let complaint = |registry: &Registry, more: &[&str]| {
        let output = registry.play(more);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        text(&output.stderr).to_owned()
    };
    let registry = registry_with(Vec::new());
    assert!(complaint(&registry, &[]).contains("there is nothing more to say; give --say TEXT"));
    assert!(complaint(&registry, &["--say", "1"]).contains("name it with --widget CODE"));
    let refusing = Registry::start(|_| (404, json!({"title": "Not Found", "detail": "no such widget"})));
    assert!(complaint(&refusing, &widget).contains("refuses: Not Found: no such widget"));
    let home = folder();
    let broken = home.path().join("broken.json");
    fs::write(&broken, r#"[{"question":[{"handler":"find","params":{}}]}]"#).unwrap();
    let output = registry.program().args(["bot", "run", "--entity", "leads:7"]).arg(&broken).run();
    assert!(text(&output.stderr).contains("step 0: question 0: the handler `find` is not played here"), "{output:?}");
    for entity in ["leads", "leads:0", ":5", "leads:x"] {
        let output = registry.program().args(["bot", "run", "x.json", "--entity", entity]).run();
        assert!(text(&output.stderr).contains("--entity"), "{output:?}");
    }
}

#[test]
fn what_the_bot_does_not_know_is_told_and_can_be_given() {
    let home = folder();
    let flow = home.path().join("flow.json");
    let show = r#"{"handler":"show","params":{"type":"text","value":"Hi {{contact.name}}, {{company.id}}\nagain"}}"#;
    fs::write(&flow, format!(r#"[{{"question":[{show},{show}]}}]"#)).unwrap();
    let run = |more: &[&str]| {
        let mut command = program();
        command.args(["bot", "run", "--token", "t", "--entity", "companies:3"]).arg(&flow).args(more);
        String::from_utf8(command.run().stdout).unwrap()
    };
    let over = "end       the flow is over\n";
    let note = "note      {{contact.name}} is not known and left empty; give it with --set contact.name=VALUE\n";
    let (empty, filled) = ("bot       Hi , 3\n          again\n", "bot       Hi Anna=A, 3\n          again\n");
    assert_eq!(run(&[]), format!("{note}{empty}{empty}{over}"));
    assert_eq!(run(&["--set", "contact.name=Anna=A"]), format!("{filled}{filled}{over}"));
}
