//! The client: looks a name up, judges every address of it, and connects to one of exactly these.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use reqwest::redirect;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use super::Policy;
use super::retry_after;
use super::target::{Refused, Target, judge};

/// Threads that calls run on.
const THREADS: usize = 2;

/// Bytes of an answer's body that are read.
const BODY: usize = 64 * 1024;

/// An answer, whatever its status: a redirect is one too and is not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status, from 200.
    pub status: u16,
    /// The first 64 KiB of the body.
    pub body: Vec<u8>,
    /// How long the other side asks to be left alone, at most a day.
    pub retry_after: Option<Duration>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The policy forbids the address, or one to which its name resolves.
    #[error("the address {0}")]
    Refused(#[from] Refused),
    /// The name is unknown, nobody listens, TLS fails, or the answer is no HTTP or breaks off.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// The time was over.
    #[error("no complete answer in time")]
    TimedOut,
}

/// A client that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The system's certificates cannot be read.
    #[error("cannot make ready for outgoing calls: {0}")]
    Library(#[source] reqwest::Error),
    /// The system gives no threads.
    #[error("cannot start threads for outgoing calls: {0}")]
    Threads(#[source] io::Error),
}

/// Calls addresses that somebody else chose. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    policy: Policy,
    threads: Arc<Threads>,
}

/// Threads of their own: what the other side does to them, such as sending interim answers without an end, happens to no request
/// and no database connection of ours.
#[derive(Debug)]
struct Threads(Option<Runtime>);

impl Threads {
    fn new() -> io::Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(THREADS).thread_name("outgoing").enable_all().build()?;
        Ok(Self(Some(runtime)))
    }

    fn spawn<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> Option<JoinHandle<T>> {
        self.0.as_ref().map(|runtime| runtime.spawn(future))
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // To wait for them is not allowed on a thread that serves others.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Client {
    /// Makes ready; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// When the system's certificates cannot be read.
    pub fn new(policy: Policy) -> Result<Self, ClientError> {
        Self::with_lookup(policy, Lookup::system())
    }

    fn with_lookup(policy: Policy, lookup: Lookup) -> Result<Self, ClientError> {
        let http = reqwest::Client::builder()
            .dns_resolver(Guard { lookup, policy })
            // A proxy would connect in our place, to what nobody has judged.
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            // Connections that wait for the next call would be as many as hosts that others can name.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("widget-registry/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(ClientError::Library)?;
        Ok(Self { http, policy, threads: Arc::new(Threads::new().map_err(ClientError::Threads)?) })
    }

    /// Judges an address under this client's policy.
    ///
    /// # Errors
    ///
    /// Why it is not called.
    pub fn target(&self, address: &str) -> Result<Target, Refused> {
        Target::parse(address, &self.policy)
    }

    /// Sends a body. `time` is for everything: looking the name up, connecting, sending, and reading the answer.
    ///
    /// # Errors
    ///
    /// When there is no answer. Something may have come through all the same, unless it is [`CallError::Refused`].
    pub async fn post(
        &self,
        target: &Target,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
        time: Duration,
    ) -> Result<Answer, CallError> {
        let mut request = self.http.post(target.url().clone()).body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        self.send(target, request, time).await
    }

    /// Reads what is at an address. `time` is for everything, as in [`Client::post`].
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub async fn get(&self, target: &Target, time: Duration) -> Result<Answer, CallError> {
        self.send(target, self.http.get(target.url().clone()), time).await
    }

    async fn send(
        &self,
        target: &Target,
        request: reqwest::RequestBuilder,
        time: Duration,
    ) -> Result<Answer, CallError> {
        // A literal address is never looked up, so the guard does not see it.
        target.judge(self.policy)?;
        let exchange = async move { tokio::time::timeout(time, exchange(request)).await };
        let Some(mut running) = self.threads.spawn(exchange) else {
            return Err(CallError::Unreachable("the service is stopping".to_owned()));
        };
        // Here once more: a thread that is kept busy tells no time.
        match tokio::time::timeout(time, &mut running).await {
            Ok(Ok(Ok(answer))) => answer,
            Ok(Ok(Err(_))) => Err(CallError::TimedOut),
            Ok(Err(broken)) => Err(CallError::Unreachable(broken.to_string())),
            Err(_) => {
                running.abort();
                Err(CallError::TimedOut)
            }
        }
    }
}

async fn exchange(request: reqwest::RequestBuilder) -> Result<Answer, CallError> {
    let mut response = request.send().await.map_err(failure)?;
    let status = response.status().as_u16();
    let header = |name: HeaderName| text(response.headers(), &name);
    let retry_after = header(RETRY_AFTER).and_then(|wait| retry_after::wait(wait, header(DATE)));
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failure)? {
        body.extend(chunk.iter().take(BODY.saturating_sub(body.len())));
        if body.len() >= BODY {
            // What follows is left unread, and the connection is closed.
            break;
        }
    }
    Ok(Answer { status, body, retry_after })
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// What the library says, without the address, which may hold a secret of its owner.
fn failure(error: reqwest::Error) -> CallError {
    let error = error.without_url();
    let mut told: Vec<String> = Vec::new();
    let mut next: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(cause) = next {
        if let Some(refused) = cause.downcast_ref::<Refused>() {
            return CallError::Refused(refused.clone());
        }
        let cause_told = cause.to_string();
        if !told.iter().any(|before| before.contains(&cause_told)) {
            told.push(cause_told);
        }
        next = cause.source();
    }
    CallError::Unreachable(told.join(": "))
}

/// Looks names up, and gives the addresses of none that has a forbidden one.
#[derive(Debug, Clone)]
struct Guard {
    lookup: Lookup,
    policy: Policy,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let name = name.as_str();
            let addresses = (guard.lookup.0)(name.to_owned()).await?;
            for address in &addresses {
                judge(name, *address, guard.policy)?;
            }
            // The port is the target's.
            Ok(Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

type Addresses = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Finds the addresses of a name.
#[derive(Clone)]
struct Lookup(Arc<dyn Fn(String) -> Addresses + Send + Sync>);

impl Lookup {
    /// Asks the operating system.
    fn system() -> Self {
        Self(Arc::new(|name| {
            Box::pin(async move {
                let found = tokio::net::lookup_host((name, 0)).await?;
                Ok(found.map(|address| address.ip()).collect())
            })
        }))
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lookup")
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::mpsc;

    use super::*;

    const OPEN: Policy = Policy { http: true, loopback: true };
    const PATIENCE: Duration = Duration::from_secs(20);

    /// A name server that gives every name these addresses, and tells which names it was asked for.
    fn names(addresses: &[&str]) -> (Lookup, mpsc::UnboundedReceiver<String>) {
        let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        let (asked, names) = mpsc::unbounded_channel();
        let lookup = Lookup(Arc::new(move |name| {
            // Not every test listens.
            let _ = asked.send(name);
            let addresses = addresses.clone();
            Box::pin(async move { Ok(addresses) })
        }));
        (lookup, names)
    }

    /// A server that answers each connection with these bytes after it has read a request, and tells what it read.
    async fn server(answer: impl AsRef<[u8]> + Send + Sync + 'static) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (read, requests) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let request = request(&mut stream).await;
                read.send(request).unwrap();
                // The client may have gone before an answer without an end is through.
                let _ = stream.write_all(answer.as_ref()).await;
            }
        });
        (address, requests)
    }

    /// One request with a body of a told length.
    async fn request(stream: &mut TcpStream) -> String {
        let mut bytes = Vec::new();
        loop {
            stream.read_buf(&mut bytes).await.unwrap();
            let text = String::from_utf8_lossy(&bytes);
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                if body.len() == length.map_or(0, |length| length.parse().unwrap()) {
                    return text.into_owned();
                }
            }
        }
    }

    async fn post(client: &Client, address: &str, time: Duration) -> Result<Answer, CallError> {
        client.post(&Target::parse(address, &OPEN).unwrap(), &[], b"body".to_vec(), time).await
    }

    fn local() -> Client {
        Client::new(OPEN).unwrap()
    }

    #[tokio::test]
    async fn sends_what_is_given_and_reads_what_comes() {
        let (address, mut requests) =
            server("HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: 4\r\n\r\nlate").await;
        let target = Target::parse(&format!("http://{address}/hook?a=b"), &OPEN).unwrap();
        let headers = [("content-type", "application/json".to_owned()), ("webhook-id", "msg_1".to_owned())];
        let answer = local().post(&target, &headers, b"{}".to_vec(), PATIENCE).await.unwrap();
        let expected = Answer { status: 503, body: b"late".to_vec(), retry_after: Some(Duration::from_secs(7)) };
        assert_eq!(answer, expected);
        let request = requests.recv().await.unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let mut lines: Vec<_> = head.lines().collect();
        lines[1..].sort_unstable();
        let user_agent = format!("user-agent: widget-registry/{}", env!("CARGO_PKG_VERSION"));
        let host = format!("host: {address}");
        assert_eq!(
            lines,
            [
                "POST /hook?a=b HTTP/1.1",
                "accept: */*",
                "content-length: 2",
                "content-type: application/json",
                &host,
                &user_agent,
                "webhook-id: msg_1"
            ]
        );
        assert_eq!(body, "{}");
    }

    #[tokio::test]
    async fn a_date_to_come_back_counts_from_the_answers_own_date() {
        let answer = "HTTP/1.1 429 Slow\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
            retry-after: Sun, 06 Nov 1994 08:50:37 GMT\r\ncontent-length: 0\r\n\r\n";
        let (address, _requests) = server(answer).await;
        let answer = post(&local(), &format!("http://{address}/"), PATIENCE).await.unwrap();
        assert_eq!(answer.retry_after, Some(Duration::from_mins(1)));
    }

    #[tokio::test]
    async fn a_name_leads_to_the_judged_addresses_and_the_targets_port() {
        let (address, mut requests) = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        let (lookup, mut asked) = names(&["127.0.0.1"]);
        let client = Client::with_lookup(OPEN, lookup).unwrap();
        let answer = post(&client, &format!("http://engine.test:{}/", address.port()), PATIENCE).await.unwrap();
        assert_eq!((answer.status, asked.recv().await.as_deref()), (200, Some("engine.test")));
        let request = requests.recv().await.unwrap();
        assert!(request.contains(&format!("host: engine.test:{}\r\n", address.port())), "{request}");
    }

    #[tokio::test]
    async fn one_forbidden_address_of_a_name_forbids_it() {
        let (address, mut requests) = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        let called = format!("http://engine.test:{}/", address.port());
        for (addresses, policy) in [
            (vec!["127.0.0.1", "10.0.0.1"], OPEN),
            (vec!["10.0.0.1", "127.0.0.1"], OPEN),
            (vec!["127.0.0.1", "::ffff:169.254.169.254"], OPEN),
            (vec!["127.0.0.1", "fd00::1"], OPEN),
            (vec!["127.0.0.1", "64:ff9b::7f00:1"], OPEN),
            (vec!["127.0.0.1"], Policy { http: true, loopback: false }),
            (vec!["8.8.8.8", "127.0.0.1"], Policy { http: true, loopback: false }),
            (vec!["::1", "2606:4700:4700::1111"], Policy { http: true, loopback: false }),
        ] {
            let client = Client::with_lookup(policy, names(&addresses).0).unwrap();
            let refused = post(&client, &called, PATIENCE).await.unwrap_err();
            assert!(matches!(refused, CallError::Refused(_)), "{addresses:?}: {refused}");
            let told = refused.to_string();
            assert!(told.contains("engine.test") && !addresses.iter().any(|a| told.contains(a)), "{told}");
        }
        assert!(requests.try_recv().is_err(), "nobody was called");
    }

    #[tokio::test]
    async fn localhost_is_looked_up_and_judged_like_any_name() {
        let (address, _requests) = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        let called = format!("http://localhost:{}/", address.port());
        let closed = Client::new(Policy { http: true, loopback: false }).unwrap();
        assert!(matches!(
            post(&closed, &called, PATIENCE).await.unwrap_err(),
            CallError::Refused(Refused::Loopback { .. })
        ));
        let client = Client::with_lookup(OPEN, names(&["127.0.0.1"]).0).unwrap();
        assert_eq!(post(&client, &called, PATIENCE).await.unwrap().status, 200);
        let client = Client::with_lookup(OPEN, names(&["8.8.8.8"]).0).unwrap();
        let refused = post(&client, &called, PATIENCE).await.unwrap_err();
        assert!(matches!(refused, CallError::Refused(Refused::Forbidden { .. })), "{refused}");
    }

    #[tokio::test]
    async fn a_target_that_was_taken_under_another_policy_is_judged_again() {
        let (address, mut requests) = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        let closed = Client::new(Policy::default()).unwrap();
        let refused = post(&closed, &format!("https://{address}/"), PATIENCE).await.unwrap_err();
        assert!(matches!(refused, CallError::Refused(Refused::Loopback { .. })), "{refused}");
        let refused = post(&closed, "http://example.com/", PATIENCE).await.unwrap_err();
        assert!(matches!(refused, CallError::Refused(Refused::Clear)), "{refused}");
        assert!(requests.try_recv().is_err(), "nobody was called");
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer() {
        let (inner, mut inner_requests) = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        for location in [format!("http://{inner}/"), "http://169.254.169.254/latest/meta-data/".to_owned()] {
            for status in [301, 302, 303, 307, 308] {
                let answer = format!("HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
                let (address, _requests) = server(answer).await;
                let answer = post(&local(), &format!("http://{address}/"), PATIENCE).await.unwrap();
                assert_eq!(answer.status, status);
            }
        }
        assert!(inner_requests.try_recv().is_err(), "nobody was called");
    }

    #[tokio::test]
    async fn only_the_beginning_of_a_long_body_is_read() {
        let exact = [b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".as_slice(), &vec![b'x'; BODY]].concat();
        let (address, _requests) = server(exact).await;
        let answer = post(&local(), &format!("http://{address}/"), PATIENCE).await.unwrap();
        assert_eq!(answer.body.len(), BODY);

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let endless = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            request(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await.unwrap();
            // Ends when the client has closed.
            while stream.write_all(&[b'y'; 10_000]).await.is_ok() {}
        });
        let answer = post(&local(), &format!("http://{address}/"), PATIENCE).await.unwrap();
        assert_eq!((answer.status, answer.body.len()), (200, BODY));
        endless.await.unwrap();
    }

    #[tokio::test]
    async fn time_is_for_everything() {
        const SHORT: Duration = Duration::from_millis(300);
        // The name is never found.
        let client = Client::with_lookup(OPEN, Lookup(Arc::new(|_| Box::pin(std::future::pending())))).unwrap();
        let error = post(&client, "http://engine.test/", SHORT).await.unwrap_err();
        assert!(matches!(error, CallError::TimedOut), "{error}");
        // The server accepts and says nothing; says half a head; half a body; a body drop by drop.
        for beginning in ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let silent = tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                request(&mut stream).await;
                stream.write_all(beginning.as_bytes()).await.unwrap();
                // Ends when the client has given up.
                let _ = stream.read(&mut [0]).await;
            });
            let error = post(&local(), &format!("http://{address}/"), SHORT).await.unwrap_err();
            assert!(matches!(error, CallError::TimedOut), "{beginning:?}: {error}");
            silent.await.unwrap();
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let dripping = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            request(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n").await.unwrap();
            let mut tick = tokio::time::interval(Duration::from_millis(50));
            while stream.write_all(b".").await.is_ok() {
                tick.tick().await;
            }
        });
        let error = post(&local(), &format!("http://{address}/"), SHORT).await.unwrap_err();
        assert!(matches!(error, CallError::TimedOut), "{error}");
        dripping.await.unwrap();
    }

    #[tokio::test]
    async fn what_is_no_answer_is_told_without_the_address() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let refusing = listener.local_addr().unwrap();
        drop(listener);
        let (closing, _requests) = server("").await;
        let (babbling, _requests) = server("220 mail.test ESMTP\r\n").await;
        let (breaking, _requests) =
            server("HTTP/1.1 200 OK\r\ncontent-length: 9\r\nconnection: close\r\n\r\nhalf").await;
        let (endless, _requests) = server(format!("HTTP/1.1 200 OK\r\n{}", "a: b\r\n".repeat(100_000))).await;
        for (address, told) in
            [(refusing, "refused"), (closing, "closed"), (babbling, "HTTP"), (breaking, "body"), (endless, "large")]
        {
            match post(&local(), &format!("http://{address}/?key=hidden"), PATIENCE).await {
                Err(CallError::Unreachable(text)) => {
                    assert!(text.contains(told) && !text.contains("hidden"), "{told}: {text}");
                }
                other => panic!("{told}: {other:?}"),
            }
        }
        // TLS with somebody who does not speak it, and a name that nobody knows.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let plain = listener.local_addr().unwrap();
        let greeting = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"220 mail.test ESMTP\r\n").await.unwrap();
            stream
        };
        let (client, address) = (local(), format!("https://{plain}/"));
        let (answer, _stream) = tokio::join!(post(&client, &address, PATIENCE), greeting);
        assert!(matches!(answer, Err(CallError::Unreachable(_))), "{answer:?}");
        let unknown = Lookup(Arc::new(|_| Box::pin(async { Err(io::Error::other("no such name")) })));
        for (lookup, told) in [(unknown, "no such name"), (names(&[]).0, "")] {
            let client = Client::with_lookup(OPEN, lookup).unwrap();
            match post(&client, "http://engine.test/", PATIENCE).await {
                Err(CallError::Unreachable(text)) => assert!(text.contains(told), "{text}"),
                other => panic!("{other:?}"),
            }
        }
    }
}
