//! `bot run` and `bot widget`: each against a stand-in for the registry, and both against a real one.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;
use widget_registry::auth::{AccountId, WidgetCall, WidgetSecret};
use widget_registry::sources::{Clock, Identifiers};

use super::server::{Server, block_on, folder, program};
use crate::support::Claims;
use crate::support::record::Run as _;

/// What the registry was asked.
struct Asked {
    /// Method and path.
    what: String,
    head: String,
    body: Value,
}

/// Answers like a registry, as far as a test says; tells what it was asked.
struct Registry {
    url: String,
    asked: Receiver<Asked>,
}

impl Registry {
    fn start(mut answer: impl FnMut(&Asked) -> (u16, Value) + Send + 'static) -> Self {
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

    fn next(&self) -> Asked {
        self.asked.recv_timeout(Duration::from_secs(30)).unwrap()
    }

    fn program(&self) -> Command {
        let mut command = program();
        command
            .env("WIDGET_REGISTRY_TOKEN", crate::support::secret("secret-token"))
            .env("WIDGET_REGISTRY_SERVER", &self.url);
        command
    }

    /// Runs the sample flow.
    fn play(&self, more: &[&str]) -> Output {
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

fn text(bytes: &[u8]) -> &str {
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

/// A widget's server; killed when it is dropped.
struct Widget {
    child: Child,
    url: String,
    said: BufReader<std::process::ChildStdout>,
}

impl Widget {
    fn start(registry: &Registry, arguments: &[&str]) -> Self {
        Self::start_as(registry.program(), arguments)
    }

    fn start_as(mut command: Command, arguments: &[&str]) -> Self {
        command.args(["bot", "widget", "--listen", "127.0.0.1:0"]).args(arguments);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let url = line.trim_end().strip_prefix("listening on ").unwrap().to_owned();
        Self { child, url, said }
    }

    /// Calls it with these fields, as a form.
    fn call(&self, fields: &[(&str, &str)]) -> u16 {
        let body = fields.iter().fold(String::new(), |mut body, (name, value)| {
            let value: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
            write!(body, "{}{name}={value}", if body.is_empty() { "" } else { "&" }).unwrap();
            body
        });
        self.send("application/x-www-form-urlencoded", body)
    }

    fn send(&self, content_type: &str, body: String) -> u16 {
        let request = reqwest::Client::new().post(format!("{}/orders/check", self.url));
        let request = request.header("content-type", content_type).body(body);
        block_on(request.send()).unwrap().status().as_u16()
    }

    /// What it printed until it ended, and its exit code.
    fn end(mut self) -> (String, Option<i32>) {
        let mut said = String::new();
        self.said.read_to_string(&mut said).unwrap();
        (said, self.child.wait().unwrap().code())
    }
}

impl Drop for Widget {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn token(secret: &str, audience: &str) -> String {
    let call = WidgetCall {
        issuer: "https://registry.test",
        audience,
        account: AccountId::new(31).unwrap(),
        subdomain: "acme",
        client: Uuid::from_u128(5),
        entity_type: "leads",
        entity_id: 77,
        bot_type: "salesbot",
        lifetime: Duration::from_mins(5),
    };
    WidgetSecret::new(secret.into()).unwrap().sign(&call, &Clock::system(), &Identifiers::random()).unwrap()
}

#[test]
fn a_widget_checks_the_call_and_continues_the_bot() {
    let registry = Registry::start(|_| (202, Value::Null));
    let secret = format!("{:s<64}", crate::support::secret("s"));
    let home = folder();
    let secret_file = home.path().join("secret");
    fs::write(&secret_file, format!("{secret}\n")).unwrap();
    let blocks = r#"[{"handler":"goto","params":{"step":1,"type":"question"}}]"#;
    let answer = [
        "--answer",
        r#"{"status":"success"}"#,
        "--execute-handlers",
        blocks,
        "--calls",
        "1",
        "--secret-file",
        secret_file.to_str().unwrap(),
    ];
    let widget = Widget::start(&registry, &answer);
    let return_url = format!("{}/api/v4/salesbot/1/continue/5", registry.url);
    let token = token(&secret, &widget.url);
    let fields = [("token", token.as_str()), ("data[order]", "A 17"), ("data[x][0]", "ж"), ("return_url", &return_url)];
    assert_eq!(widget.call(&fields), 200);
    let asked = registry.next();
    assert_eq!(asked.what, "POST /api/v4/salesbot/1/continue/5");
    let blocks: Value = serde_json::from_str(blocks).unwrap();
    assert_eq!(asked.body, json!({"data": {"status": "success"}, "execute_handlers": blocks}));
    let bearer = format!("authorization: Bearer {}\r\n", crate::support::secret("secret-token"));
    for header in [bearer.as_str(), "idempotency-key: bot-widget/api/v4/salesbot/1/continue/5\r\n"] {
        assert!(asked.head.contains(header), "{}", asked.head);
    }
    let (said, code) = widget.end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        said,
        format!(
            "called    POST /orders/check\n\
             token     is good: account 31 (acme), leads 77, salesbot, integration 00000000-0000-0000-0000-000000000005\n\
             data      data[order]=A 17\n          data[x][0]=ж\n\
             answered  200 OK\n\
             widget    continues the bot at {return_url} with {{\"data\":{{\"status\":\"success\"}},\"execute_handlers\":{blocks}}}\n"
        )
    );
}

#[test]
fn a_widget_refuses_what_is_not_for_it() {
    let registry = Registry::start(|_| (404, json!({"title": "Not Found", "detail": "not awaiting"})));
    let secret = format!("{:s<64}", crate::support::secret("s"));
    let widget = Widget::start(&registry, &["--calls", "6", "--secret", &secret]);
    let good = token(&secret, &widget.url);
    let return_url = format!("{}/api/v4/salesbot/1/continue/5", registry.url);
    let forged = token(&"t".repeat(64), &widget.url);
    assert_eq!(widget.call(&[("token", &forged), ("return_url", &return_url)]), 401);
    let others = token(&secret, "https://other.test");
    assert_eq!(widget.call(&[("token", &others), ("return_url", &return_url)]), 401);
    assert_eq!(widget.call(&[("token", &good)]), 400);
    assert_eq!(widget.send("application/json", "{".to_owned()), 400);
    // Our own token goes to nobody but the registry.
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    let trap = format!("http://{}/", elsewhere.local_addr().unwrap());
    assert_eq!(widget.call(&[("token", &good), ("return_url", &trap)]), 200);
    let json = json!({"token": good, "data": {"a": 1}, "return_url": return_url}).to_string();
    assert_eq!(widget.send("application/json", json), 200);
    assert_eq!(registry.next().what, "POST /api/v4/salesbot/1/continue/5");
    let (said, code) = widget.end();
    assert_eq!(code, Some(1), "{said}");
    for part in [
        "refused   the call's token: the signature does not fit\n",
        "refused   the call's token: the audience is another one\n",
        "refused   the body has no token or no return_url\n",
        "refused   the body is no call: ",
        "data      {\"a\":1}\n",
        "failed    cannot continue the bot at ",
        "refuses: Not Found: not awaiting",
        "which --server names",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    elsewhere.set_nonblocking(true).unwrap();
    assert!(elsewhere.accept().is_err(), "nobody was called");
}

#[test]
fn a_widget_says_what_is_wrong_with_its_arguments() {
    for (arguments, told) in [
        (["--answer", "success"], "--answer is not JSON"),
        (["--answer", "5"], "--answer is neither a JSON object nor an array"),
        (["--execute-handlers", "["], "--execute-handlers is not JSON"),
        (["--secret", "short"], "has 5 bytes; at least 64 are needed"),
        (["--secret-file", "/nowhere"], "cannot read /nowhere"),
    ] {
        let mut command = program();
        let output = command.args(["bot", "widget", "--listen", "127.0.0.1:0", "--token", "t"]).args(arguments).run();
        let complaint = output.stderr;
        assert!(text(&complaint).contains(told), "{told}: {}", text(&complaint));
    }
}

#[test]
fn both_sides_meet_at_a_registry() {
    let home = folder();
    let (data_dir, config) = (home.path().join("data"), home.path().join("registry.toml"));
    fs::write(&config, "[outgoing]\nloopback = true\n").unwrap();
    let server = Server::start(&data_dir, &["--config", config.to_str().unwrap()]);
    let issued = program()
        .args(["token", "--account", "1", "--user", "7", "--role", "admin", "--scope", "publish,bots", "--data-dir"])
        .arg(&data_dir)
        .run();
    let command = || {
        let mut command = program();
        command.env("WIDGET_REGISTRY_TOKEN", text(&issued.stdout).trim()).env("WIDGET_REGISTRY_SERVER", &server.url);
        command
    };
    let publisher = server.caller(&data_dir, &Claims::admin(1, 7).scopes(&["publish"]));
    let integration = block_on(publisher.post("/registry/v1/integrations", r#"{"name":"Orders"}"#)).json();
    let (client, secret) = (integration["client_uuid"].as_str().unwrap(), integration["secret"].as_str().unwrap());
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/widgets/demo_bot_step");
    let sent = command().args(["publish", "--client-uuid", client, "--code", "my_step", sample]).run();
    assert!(sent.status.success(), "{sent:?}");

    let blocks = r#"[{"handler":"show","params":{"type":"text","value":"Found it."}}]"#;
    let answer = [
        "--answer",
        r#"{"status":"success","day":"Monday"}"#,
        "--execute-handlers",
        blocks,
        "--secret",
        secret,
        "--calls",
        "1",
    ];
    let widget = Widget::start_as(command(), &answer);
    let flow = home.path().join("order.json");
    let text_of_flow = include_str!("../../examples/flows/order.json").replace("http://127.0.0.1:9000", &widget.url);
    fs::write(&flow, text_of_flow).unwrap();
    let mut run = command();
    run.args(["bot", "run", "--entity", "leads:77", "--widget", "my_step", "--say", "A-17"]).arg(&flow);
    let output = run.run();
    assert!(output.status.success(), "{output:?}");
    assert!(
        text(&output.stdout).ends_with(
            "widget    continues with {\"status\":\"success\",\"day\":\"Monday\"}\n\
             bot       Found it.\n\
             bot       Order A-17 comes on Monday.\n\
             end       left by the exit `found`\n"
        ),
        "{output:?}"
    );
    let (said, code) = widget.end();
    assert_eq!(code, Some(0), "{said}");
    let good = format!("is good: account 1 (127.0.0.1), leads 77, salesbot, integration {client}\n");
    assert!(said.contains(&good) && said.contains("data[order_number]=A-17\n          data[lead]=77\n"), "{said}");
}
