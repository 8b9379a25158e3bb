//! `bot run`: plays the bot engine.

use std::collections::VecDeque;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::line;
use crate::app;
use crate::archive::WidgetCode;
use crate::bot::{self, Action, Ending, Facts, Flow, Look, Message};
use crate::cli::remote::{Connection, Remote};
use crate::config;
use crate::continuations::{BotType, Encoding};
use crate::sources::Identifiers;

/// Seconds that the registry holds a question for events at most.
const HOLD: u64 = 20;
/// Seconds after which an event of another wait is to be offered again.
const OTHERS: u64 = 2;
/// Time after a deadline within which the registry must have told of it.
const GRACE: Duration = Duration::from_mins(2);

/// Runs a SalesBot flow against a registry, and prints the conversation
///
/// The flow is the JSON of the designer ("View source"), or what a widget's onSalesbotDesignerSave returns: steps with question,
/// answer and finish, and the handlers show, goto, conditions, exits and `widget_request`. Where it asks a widget, the registry
/// calls the widget's server and the bot waits until that has continued it. What the user says is read from --say, then from
/// standard input. The token needs the scope bots. Exit code 1 when the flow fails.
///
/// The call is signed with the secret of the widget's integration, so the widget needs one. A widget's server on the registry's own
/// machine is called only when the registry has the setting `outgoing.loopback`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  widget-registry bot run examples/flows/order.json --entity leads:77 --widget order_step"
)]
pub(super) struct Run {
    /// The flow
    #[arg(value_name = "FLOW.json")]
    flow: PathBuf,
    /// What the bot works on: its type and number, such as leads:77
    #[arg(long, value_name = "TYPE:ID")]
    entity: Entity,
    /// The widget that the flow asks, by its code
    #[arg(long, value_name = "CODE")]
    widget: Option<WidgetCode>,
    /// What the user says, in turn
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    say: Vec<String>,
    /// What the bot knows besides, such as contact.name=Anna
    #[arg(long, value_name = "NAME=VALUE", value_parser = fact)]
    set: Vec<(String, String)>,
    /// How long the bot waits for the widget: 90s, 15m, 24h, 30d
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = config::duration)]
    timeout: Duration,
    /// How the widget's server is sent the data: form, as the real service does, or json
    #[arg(long, default_value = "form")]
    encoding: Encoding,
    /// salesbot or marketingbot
    #[arg(long, value_name = "TYPE", default_value = "salesbot")]
    bot_type: BotType,
    /// The bot's number
    #[arg(long, value_name = "ID", default_value_t = 1, value_parser = clap::value_parser!(i64).range(1..))]
    bot_id: i64,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Clone, Serialize)]
struct Entity {
    r#type: String,
    id: i64,
}

impl FromStr for Entity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, id) = text.split_once(':').ok_or("is not a type and a number such as leads:77")?;
        let id = id.parse().ok().filter(|id| *id > 0).ok_or_else(|| format!("`{id}` is not a positive number"))?;
        if kind.is_empty() {
            Err("has no type before the colon".to_owned())
        } else {
            Ok(Self { r#type: kind.to_owned(), id })
        }
    }
}

impl Entity {
    /// The placeholder of its number: `leads` is `lead.id`.
    fn placeholder(&self) -> String {
        let name = match self.r#type.as_str() {
            "leads" => "lead",
            "contacts" => "contact",
            "companies" => "company",
            "customers" => "customer",
            other => other,
        };
        format!("{name}.id")
    }
}

fn fact(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("is not a name and a value such as contact.name=Anna")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Has the registry call a widget's server.
#[derive(Serialize)]
struct Opening<'a> {
    widget_code: &'a str,
    entity: &'a Entity,
    reference: String,
    timeout_seconds: u64,
    request: Request<'a>,
}

#[derive(Serialize)]
struct Request<'a> {
    url: &'a str,
    data: Option<&'a RawValue>,
    encoding: &'a str,
}

#[derive(Deserialize)]
struct Opened {
    continue_id: i64,
    expires_at: String,
}

#[derive(Deserialize)]
struct Leased {
    deliveries: Vec<Delivery>,
}

#[derive(Deserialize)]
struct Delivery {
    id: i64,
    lease_token: String,
    event: Event,
}

/// How a wait ended.
#[derive(Deserialize)]
struct Event {
    r#type: String,
    continue_id: i64,
    data: Option<Box<RawValue>>,
    execute_handlers: Option<Box<RawValue>>,
    failure: Option<String>,
}

impl Run {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let path = self.flow.display();
        let text = std::fs::read(&self.flow).with_context(|| format!("cannot read {path}"))?;
        let flow = Flow::parse(&text).with_context(|| format!("{path} is no flow that can be played"))?;
        let mut facts = Facts::default();
        facts.set(&self.entity.placeholder(), &self.entity.id.to_string());
        for (name, value) in &self.set {
            facts.set(name, value);
        }
        let connection = self.remote.connect()?;
        let ending = app::block_on(self.play(bot::Run::new(flow, facts), &connection))?;
        let (told, code) = match ending {
            Ending::Finished => ("the flow is over".to_owned(), ExitCode::SUCCESS),
            Ending::Exit(code) => (format!("left by the exit `{code}`"), ExitCode::SUCCESS),
            Ending::Failed(why) => (format!("failed: {why}"), ExitCode::FAILURE),
        };
        line("end", &told)?;
        Ok(code)
    }

    async fn play(&self, mut bot: bot::Run, connection: &Connection<'_>) -> anyhow::Result<Ending> {
        let mut said: VecDeque<&str> = self.say.iter().map(String::as_str).collect();
        loop {
            let action = bot.advance();
            for name in bot.facts().newly_unknown() {
                line("note", &format!("{{{{{name}}}}} is not known and left empty; give it with --set {name}=VALUE"))?;
            }
            match action {
                Action::Say(message) => line("bot", &told(&message))?,
                Action::Listen => bot.answered(&listen(said.pop_front())?),
                Action::Request { url, data } => match self.ask(connection, &url, data.as_deref()).await? {
                    Ok(event) => bot.continued(event.data, event.execute_handlers.as_deref()),
                    Err(why) => return Ok(Ending::Failed(why)),
                },
                Action::End(ending) => return Ok(ending),
            }
        }
    }

    /// Has the widget's server called and waits; the inner error is why the bot was not continued.
    async fn ask(
        &self,
        connection: &Connection<'_>,
        url: &str,
        data: Option<&str>,
    ) -> anyhow::Result<Result<Event, String>> {
        let widget = self.widget.as_ref().context("the flow asks a widget; name it with --widget CODE")?;
        let data = data.map(serde_json::from_str::<&RawValue>).transpose()?;
        let opening = Opening {
            widget_code: widget.as_str(),
            entity: &self.entity,
            reference: format!("bot-run-{}", Identifiers::random().next()),
            timeout_seconds: self.timeout.as_secs().max(1),
            request: Request { url, data, encoding: self.encoding.as_str() },
        };
        let path = [self.bot_type.as_str(), &self.bot_id.to_string(), "continuations"];
        let opened: Opened = connection.post_json(&path, &opening).await?;
        let Opened { continue_id, expires_at } = &opened;
        line("bot", &format!("asks {widget} at {url} and waits until {expires_at} (continuation {continue_id})"))?;
        let event = self.wait(connection, opened.continue_id).await?;
        match event.r#type.as_str() {
            "continuation.continued" => {
                line("widget", &format!("continues with {}", event.data.as_deref().map_or("no data", RawValue::get)))?;
                Ok(Ok(event))
            }
            "continuation.expired" => Ok(Err("the widget has not answered in time".to_owned())),
            "continuation.failed" => {
                Ok(Err(event.failure.unwrap_or_else(|| "the widget failed and did not say why".to_owned())))
            }
            other => bail!("the registry tells of `{other}`, which this program does not know"),
        }
    }

    /// Takes events from the registry until it is the one of this wait; others are given back.
    async fn wait(&self, connection: &Connection<'_>, continue_id: i64) -> anyhow::Result<Event> {
        let begun = Instant::now();
        loop {
            let Leased { deliveries } = connection
                .post_json(&["deliveries", "lease"], &serde_json::json!({"max": 1, "wait_seconds": HOLD}))
                .await?;
            for Delivery { id, lease_token, event } in deliveries {
                let id = id.to_string();
                if event.continue_id == continue_id {
                    let body = serde_json::json!({"lease_token": lease_token});
                    let IgnoredAny = connection.post_json(&["deliveries", &id, "ack"], &body).await?;
                    return Ok(event);
                }
                let body = serde_json::json!({
                    "lease_token": lease_token,
                    "reason": "another bot waits for this",
                    "retry_after_seconds": OTHERS,
                });
                let IgnoredAny = connection.post_json(&["deliveries", &id, "nack"], &body).await?;
            }
            ensure!(begun.elapsed() < self.timeout + GRACE, "the registry does not tell how the wait ended");
        }
    }
}

/// A message as it is printed.
fn told(message: &Message) -> String {
    let buttons: Vec<String> = match message.look {
        Look::Text => Vec::new(),
        Look::Buttons => message.buttons.iter().map(|text| format!("[{text}]")).collect(),
        Look::Links => message.buttons.iter().map(|link| format!("<{link}>")).collect(),
    };
    if buttons.is_empty() { message.value.clone() } else { format!("{}\n{}", message.value, buttons.join(" ")) }
}

/// What the user says next; a person at the keyboard sees it already.
fn listen(given: Option<&str>) -> anyhow::Result<String> {
    if let Some(text) = given {
        line("user", text)?;
        return Ok(text.to_owned());
    }
    let mut typed = String::new();
    let read = io::stdin().read_line(&mut typed).context("cannot read what the user says")?;
    ensure!(read > 0, "the bot waits for the user, and there is nothing more to say; give --say TEXT");
    let text = typed.trim_end_matches(['\r', '\n']);
    if !io::stdin().is_terminal() {
        line("user", text)?;
    }
    Ok(text.to_owned())
}
