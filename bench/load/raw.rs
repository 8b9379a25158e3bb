//! The least that a server with this framework does for a read: it checks the token as the service does, and sends bytes that are ready.
//! What the service sends was captured before.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::web::{self, Bytes};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use widget_registry::app::signing_key_path;
use widget_registry::auth::{Caller, Keyring, Revocations};
use widget_registry::data_dir::DataDir;
use widget_registry::sources::Clock;

use super::client::Answer;
use super::cpu::Whose;
use super::tokens::{self, ISSUER};

/// As long as the service keeps a connection that is not used.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// What the framework writes by itself.
const OWN_HEADERS: [&str; 4] = ["date", "content-length", "connection", "transfer-encoding"];

/// What it is to serve.
#[derive(Debug, Serialize, Deserialize)]
pub struct Plan {
    pub workers: usize,
    pub secret_file: PathBuf,
    pub data_dir: PathBuf,
    pub answers: Vec<Ready>,
}

/// An answer as the service gave it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ready {
    /// Whose it is.
    account: u64,
    /// Path and query.
    path: String,
    /// Whether the request names what it has.
    is_conditional: bool,
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Ready {
    pub fn new(account: u64, path: &str, is_conditional: bool, answer: Answer) -> anyhow::Result<Self> {
        let headers = answer.headers.into_iter().filter(|(name, _)| !OWN_HEADERS.contains(&name.as_str())).collect();
        let body = String::from_utf8(answer.body)?;
        Ok(Self { account, path: path.to_owned(), is_conditional, status: answer.status, headers, body })
    }
}

/// A running one.
pub struct Raw {
    child: Child,
    pub address: SocketAddr,
}

impl Raw {
    /// Starts this program once more, as that server.
    pub fn start(folder: &Path, plan: &Plan) -> anyhow::Result<Self> {
        let file = folder.join("plan.json");
        std::fs::write(&file, serde_json::to_vec(plan)?)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("raw").arg(&file).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        Ok(Self { address: line.trim().parse().context("the raw server does not start")?, child })
    }

    pub fn server(&self) -> Whose {
        Whose::Process(self.child.id())
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct State {
    keyring: Keyring,
    revoked: Revocations,
    clock: Clock,
    /// By account and path; without a condition, and with one.
    answers: HashMap<i64, HashMap<String, [Option<Held>; 2]>>,
}

struct Held {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

/// Is that server until it is killed, or whoever started it is gone.
pub async fn serve(plan: &Path) -> anyhow::Result<()> {
    let plan: Plan = serde_json::from_slice(&std::fs::read(plan)?)?;
    let signing = signing_key_path(&DataDir::peek(&plan.data_dir)?);
    let clock = Clock::system();
    let keyring = Keyring::open(ISSUER.to_owned(), signing, vec![tokens::source(&plan.secret_file)], clock.clone())?;
    let mut answers: HashMap<i64, HashMap<String, [Option<Held>; 2]>> = HashMap::new();
    for ready in plan.answers {
        let of_account = answers.entry(ready.account.try_into()?).or_default();
        let [without, with] = of_account.entry(ready.path.clone()).or_default();
        let place = if ready.is_conditional { with } else { without };
        *place = Some(held(ready)?);
    }
    let state = Arc::new(State { keyring, revoked: Revocations::default(), clock, answers });
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let application = move || App::new().app_data(state.clone()).default_service(web::to(answer));
    let server = HttpServer::new(application)
        .workers(plan.workers)
        .keep_alive(KEEP_ALIVE)
        .disable_signals()
        .listen(listener)?
        .run();
    let mut output = std::io::stdout();
    writeln!(output, "{address}")?;
    output.flush()?;
    // Its input ends with the one who started it.
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    Ok(server.await?)
}

fn held(ready: Ready) -> anyhow::Result<Held> {
    let mut headers = Vec::new();
    for (name, value) in ready.headers {
        headers.push((name.parse()?, value.parse()?));
    }
    Ok(Held { status: StatusCode::from_u16(ready.status)?, headers, body: ready.body.into() })
}

async fn answer(request: HttpRequest) -> HttpResponse {
    let Some(state) = request.app_data::<Arc<State>>() else { return HttpResponse::InternalServerError().finish() };
    let Some(caller) = caller(&request, state) else { return HttpResponse::Unauthorized().finish() };
    let path = request.uri().path_and_query().map_or("", |path| path.as_str());
    let is_conditional = request.headers().contains_key(header::IF_NONE_MATCH);
    let held = state.answers.get(&caller.account.get()).and_then(|of_account| of_account.get(path));
    let held = held.and_then(|[plain, conditional]| if is_conditional { conditional } else { plain }.as_ref());
    let Some(held) = held else { return HttpResponse::NotFound().finish() };
    let mut response = HttpResponse::build(held.status);
    for (name, value) in &held.headers {
        response.insert_header((name.clone(), value.clone()));
    }
    if held.body.is_empty() { response.finish() } else { response.body(held.body.clone()) }
}

/// Checks the token as the service does, with its memory of those that were checked.
fn caller(request: &HttpRequest, state: &State) -> Option<Caller> {
    let token = request.headers().get(header::AUTHORIZATION)?.as_bytes().strip_prefix(b"Bearer ")?;
    let keys = state.keyring.keys();
    keys.checked.check(token, &keys.verifier, &state.revoked, &state.clock).ok()
}
