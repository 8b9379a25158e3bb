//! `bot widget`: a widget's server for a bot step, alone and with `bot run` at a registry.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;
use widget_registry::auth::{AccountId, WidgetCall, WidgetSecret};
use widget_registry::sources::{Clock, Identifiers};

use super::server::{Server, block_on, folder, program};
use crate::support::Claims;
use crate::support::record::Run as _;

use super::bot::{Registry, text};

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
