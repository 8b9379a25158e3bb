//! A row of the route table, and the walk of a request through its checks.

use std::borrow::Cow;
use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderName};
use actix_web::http::uri::PathAndQuery;
use actix_web::web::{Bytes, BytesMut};
use futures_util::StreamExt as _;

use super::bearer::authenticate;
use super::caller::{Permission, Who};
use super::head::Head;
use super::json::{Document, Rules};
use super::origin;
use super::paths::Segments;
use super::problem::Problem;
use super::query::Query;
use super::request_id::RequestId;
use super::service::Service;
use super::shared::Shared;
use crate::config::Limits;
use crate::metrics::{Metrics, RouteMetrics};

/// A request that has passed every check before its handler: the caller has the right `P`, the body is a `B`.
#[derive(Debug)]
pub struct Call<P, B = NoBody> {
    /// What every request shares.
    pub shared: Rc<Service>,
    /// The caller's right.
    pub who: P,
    /// The body.
    pub body: B,
    head: Rc<Head>,
    id: RequestId,
    pattern: Pattern,
    segments: Segments,
}

impl<P, B> Call<P, B> {
    /// What names the request in the log and in the answer: at most 64 characters of `[A-Za-z0-9._-]`.
    #[must_use]
    pub fn request_id(&self) -> &str {
        self.id.as_str()
    }

    /// A decoded segment of the path, by its name in the route table; the last one is all of the rest. See
    /// [`Head::decoded_path`].
    #[must_use]
    pub fn segment(&self, name: &str) -> &str {
        self.segments.named(name, self.pattern.path, self.head.decoded_path())
    }

    /// What follows the first segments of the path, as it was sent.
    #[must_use]
    pub fn raw_tail(&self, segments: usize) -> &str {
        self.head.path().splitn(segments + 2, '/').nth(segments + 1).unwrap_or_default()
    }

    /// Path and query, as they were sent.
    #[must_use]
    pub fn target(&self) -> &str {
        self.head.uri().path_and_query().map_or("/", PathAndQuery::as_str)
    }

    /// The query as it was sent; `None` when there is none.
    #[must_use]
    pub fn raw_query(&self) -> Option<&str> {
        self.head.uri().query()
    }

    /// Whether the request was sent on this machine, and by no proxy that says that it speaks for somebody else.
    #[must_use]
    pub fn is_from_this_machine(&self) -> bool {
        origin::is_of_this_machine(&self.head)
    }

    /// What a feature keeps for all requests. It was given to the server at its start; here nobody knows what it is.
    ///
    /// # Errors
    ///
    /// 500 when it was not.
    pub fn state<T: 'static>(&self) -> Result<&T, Problem> {
        let state = self.shared.state.get::<Arc<T>>().map(AsRef::as_ref);
        state.ok_or_else(|| {
            tracing::error!(state = std::any::type_name::<T>(), "the server was started without it");
            Problem::Internal
        })
    }

    /// The query.
    #[must_use]
    pub fn query(&self) -> Query {
        Query::parse(self.head.query_string())
    }

    /// Whether only the head of the answer is wanted.
    #[must_use]
    pub fn is_head(&self) -> bool {
        self.head.method() == Method::HEAD
    }

    /// What links begin with.
    #[must_use]
    pub fn origin(&self) -> Rc<str> {
        self.shared.origin(&self.head)
    }

    /// `Accept-Language` as it was written.
    #[must_use]
    pub fn accepted_languages(&self) -> Cow<'_, str> {
        self.list(&header::ACCEPT_LANGUAGE).unwrap_or_default()
    }

    /// A header that is a list: several lines count as one (RFC 9110, 5.3). `None` when it is not there.
    #[must_use]
    pub fn list(&self, name: &HeaderName) -> Option<Cow<'_, str>> {
        let mut lines = self.head.headers().get_all(name).peekable();
        lines.peek()?;
        let mut texts = lines.filter_map(|line| line.to_str().ok());
        let mut all = Cow::Borrowed(texts.next().unwrap_or_default());
        for line in texts {
            all += ",";
            all += line;
        }
        Some(all)
    }

    /// A header's value when it stands there exactly once and is text.
    ///
    /// # Errors
    ///
    /// 400 when it stands there twice or is not text.
    pub fn header(&self, name: &str) -> Result<Option<&str>, Problem> {
        let mut values = self.head.headers().get_all(name);
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) if value.to_str().is_ok() => Ok(value.to_str().ok()),
            _ => Err(Problem::Malformed(format!("The header {name} must be given once, as text"))),
        }
    }
}

/// What a route does with the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// Whatever comes is ignored.
    None,
    /// JSON under limits.
    Json,
    /// Names and values, as a form or as JSON.
    Fields,
    /// An archive.
    Upload,
}

/// A body, read under its limits.
pub trait Body: Sized + 'static {
    /// What it is.
    const KIND: BodyKind;

    /// Reads it.
    fn read(head: &Head, payload: Payload, shared: &Shared) -> impl Future<Output = Result<Self, Problem>>;
}

/// No body; one that comes all the same is ignored.
#[derive(Debug)]
pub struct NoBody;

impl Body for NoBody {
    const KIND: BodyKind = BodyKind::None;

    async fn read(_: &Head, _: Payload, _: &Shared) -> Result<Self, Problem> {
        Ok(Self)
    }
}

/// The limits of one kind of JSON body.
pub trait JsonLimits: 'static {
    /// Bytes and depth at most.
    fn of(limits: &Limits) -> (usize, usize);
}

/// A JSON body; `document` is `None` when it was empty. It may hold secrets, and so `Debug` tells its size only.
pub struct Json<L> {
    /// The checked text.
    pub document: Option<Document>,
    /// The bytes as they came.
    pub bytes: Bytes,
    limits: PhantomData<L>,
}

impl<L> fmt::Debug for Json<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json of {} bytes", self.bytes.len())
    }
}

/// The limits of every JSON body that has none of its own.
#[derive(Debug)]
pub struct Usual;

impl JsonLimits for Usual {
    fn of(limits: &Limits) -> (usize, usize) {
        (limits.json_body, limits.json_depth)
    }
}

impl<L: JsonLimits> Body for Json<L> {
    const KIND: BodyKind = BodyKind::Json;

    async fn read(head: &Head, payload: Payload, shared: &Shared) -> Result<Self, Problem> {
        let limits = &shared.config.limits;
        let (size, depth) = L::of(limits);
        identity_only(head)?;
        let bytes = within(limits.body_time, collect(payload, size)).await?;
        if !bytes.is_empty() && !is_json(head) {
            return Err(Problem::WrongMediaType("application/json"));
        }
        let document = Document::parse(&bytes, Rules { depth, keys: limits.object_keys })
            .map_err(|error| Problem::Malformed(error.to_string()))?;
        Ok(Self { document, bytes, limits: PhantomData })
    }
}

/// Refuses compressed bodies: their size is not known before they are read.
pub(super) fn identity_only(head: &Head) -> Result<(), Problem> {
    let mut encodings = head.headers().get_all(header::CONTENT_ENCODING);
    if encodings.all(|value| value.as_bytes().eq_ignore_ascii_case(b"identity")) {
        Ok(())
    } else {
        Err(Problem::WrongEncoding)
    }
}

/// Reads within a deadline: the server itself would wait for a body for ever.
pub(super) async fn within<T>(time: Duration, body: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    tokio::time::timeout(time, body).await.unwrap_or(Err(Problem::BodyTimeout))
}

pub(super) async fn collect(mut payload: Payload, limit: usize) -> Result<Bytes, Problem> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| Problem::Malformed(format!("The body could not be read: {error}")))?;
        if bytes.len() + chunk.len() > limit {
            return Err(Problem::BodyTooLarge(limit));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

/// `application/json`, any `…+json`, or no type at all: some clients send none.
pub(super) fn is_json(head: &Head) -> bool {
    match media_type(head) {
        None => true,
        Some(name) => name == "application/json" || (name.starts_with("application/") && name.ends_with("+json")),
    }
}

/// The type of the body without its parameters, in lower case.
pub(super) fn media_type(head: &Head) -> Option<String> {
    let value = head.headers().get(header::CONTENT_TYPE)?.to_str().unwrap_or("?");
    value.split(';').next().map(|name| name.trim().to_ascii_lowercase())
}

/// What a handler's call knows of its row of the route table.
#[derive(Debug, Clone, Copy)]
struct Pattern {
    path: &'static str,
    /// However busy the service is.
    is_told_always: bool,
}

type Answer = Pin<Box<dyn Future<Output = Result<HttpResponse, Problem>>>>;

/// One row of the route table.
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with `{names}` for segments.
    pub path: &'static str,
    /// Who may call.
    pub who: Who,
    /// What it does with the body.
    pub body: BodyKind,
    run: Box<dyn Fn(Asked) -> Answer + Send + Sync>,
    /// What is counted of it, from its first answer on.
    measured: OnceLock<Arc<RouteMetrics>>,
}

/// A request on its way to its route.
pub struct Asked {
    /// Its head.
    pub head: Rc<Head>,
    /// Its body.
    pub payload: Payload,
    /// What every request shares.
    pub shared: Rc<Service>,
    /// Its id.
    pub id: RequestId,
    /// Where the named segments of its path are.
    pub(super) segments: Segments,
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Asked {}", self.id.as_str())
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {:?} {:?}", self.method, self.path, self.who, self.body)
    }
}

impl Route {
    /// A row: who may call and what the body is are read from the handler's parameter.
    pub fn new<P, B, F>(method: Method, path: &'static str, handler: fn(Call<P, B>) -> F) -> Self
    where
        P: Permission,
        B: Body,
        F: Future<Output = Result<HttpResponse, Problem>> + 'static,
    {
        // Health and the numbers to watch.
        let is_told_always = path.starts_with("/registry/v1/health/") || path == "/metrics";
        let pattern = Pattern { path, is_told_always };
        let run = move |asked| -> Answer { Box::pin(checked(handler, pattern, asked)) };
        Self { method, path, who: P::WHO, body: B::KIND, run: Box::new(run), measured: OnceLock::new() }
    }

    /// Walks a request of this route through its checks to its handler.
    pub fn answer(&self, asked: Asked) -> Answer {
        (self.run)(asked)
    }

    /// Counts an answer.
    pub fn answered(&self, metrics: &Metrics, status: u16, took: Duration) {
        self.measured.get_or_init(|| metrics.of_route(self.method.as_str(), self.path)).answered(status, took);
    }
}

/// The order of checks: token 401 → rate 429 → role 403 → a place for the body 503 → content type and body 400, 408, 413, 415 → a place
/// for the work 503 → the handler's own.
#[expect(clippy::manual_async_fn, reason = "the parameters of an async function take their room twice")]
fn checked<P, B, F>(
    handler: fn(Call<P, B>) -> F,
    pattern: Pattern,
    asked: Asked,
) -> impl Future<Output = Result<HttpResponse, Problem>>
where
    P: Permission,
    B: Body,
    F: Future<Output = Result<HttpResponse, Problem>>,
{
    async move {
        let caller = match P::WHO {
            Who::Anyone => None,
            Who::Visitor if !asked.head.headers().contains_key(header::AUTHORIZATION) => None,
            Who::Visitor | Who::User | Who::Admin | Who::Bearer(_) | Who::AdminOr(_) => {
                Some(authenticate(&asked.head, &asked.shared).await?)
            }
        };
        if let Some(caller) = &caller {
            asked.id.logged().is_of(caller.account.get(), Some(caller.user.get()));
            if let Some(seconds) = asked.shared.wait_for_rate(caller) {
                return Err(Problem::TooManyRequests(seconds));
            }
        }
        let who = P::grant(caller)?;
        let body = {
            // A body that does not come keeps nobody from being answered who asks for what takes none.
            let _place = (B::KIND != BodyKind::None).then(|| asked.shared.places.for_body(P::WHO)).transpose()?;
            B::read(&asked.head, asked.payload, &asked.shared).await?
        };
        let service = asked.shared.clone();
        let _place = if pattern.is_told_always { None } else { Some(service.places.for_work()?) };
        let time = service.config.limits.handler_time;
        let Asked { shared, head, id, segments, .. } = asked;
        let mut answer = pin!(handler(Call { shared, who, body, head, id, pattern, segments }));
        // What is answered out of memory needs no timer.
        match poll_fn(|context| Poll::Ready(answer.as_mut().poll(context))).await {
            Poll::Ready(answer) => answer,
            // Nor is there room for one in what is answered so.
            Poll::Pending => Box::pin(tokio::time::timeout(time, answer)).await.unwrap_or(Err(Problem::HandlerTimeout)),
        }
    }
}
