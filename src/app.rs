//! The composition root: from a configuration to a running service that can be stopped.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::auth::{KeyError, Keyring, KeyringError, SigningKey, SigningKeyError};
use crate::background::Background;
use crate::catalogue::{changes, listing};
use crate::config::{Config, Database};
use crate::continuations::calls::WidgetCalls;
use crate::continuations::sweep;
use crate::data_dir::{DataDir, DataDirError};
use crate::database::embedded::{Cluster, EmbeddedError};
use crate::database::hints::Hints;
use crate::database::{self, ConnectError, Connected, Failure, Pool};
use crate::delivery::hint;
use crate::delivery::history::{self, Retention};
use crate::delivery::worker::Worker;
use crate::http::shared::Shared;
use crate::installs::counts;
use crate::monitoring;
use crate::oauth;
use crate::outgoing::{Client, ClientError};
use crate::resealing;
use crate::revocations;
use crate::sealing::{self, Sealing};
use crate::server::{DRAIN_SECONDS, serve};
use crate::sources::{Clock, Identifiers, Secrets};
use crate::token_keys::{self, Remote, RemoteError};
use crate::v4::kept::Kept;
use crate::v4::snapshot::Live;

/// Why the service does not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The signing key cannot be used.
    #[error(transparent)]
    SigningKey(#[from] SigningKeyError),
    /// A verification key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The encryption keys cannot be used.
    #[error(transparent)]
    Sealing(#[from] sealing::StartError),
    /// A key set cannot be fetched by any means.
    #[error(transparent)]
    KeySet(#[from] RemoteError),
    /// The revoked tokens cannot be read.
    #[error("cannot read which tokens are revoked: {0}")]
    Revocations(#[source] Failure),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another address with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The embedded database ended and could not be started again.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// The database cannot be used.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The catalogue cannot be read.
    #[error("the catalogue cannot be read: {0}")]
    Catalogue(#[source] Failure),
    /// Calls to others cannot be made.
    #[error(transparent)]
    Outgoing(#[from] ClientError),
    /// The server failed.
    #[error("the HTTP server failed: {0}")]
    Server(#[source] io::Error),
}

/// A running service.
#[derive(Debug)]
pub struct App {
    /// Where it listens.
    pub address: SocketAddr,
    /// What its requests share.
    pub shared: Arc<Shared>,
    /// The catalogue in memory.
    pub catalogue: Arc<Live>,
    handle: ServerHandle,
    server: JoinHandle<io::Result<()>>,
    background: Background,
    stop_database: watch::Sender<bool>,
    database: JoinHandle<Result<(), EmbeddedError>>,
    _data_dir: DataDir,
}

/// Where the data directory has its signing key.
#[must_use]
pub fn signing_key_path(data_dir: &DataDir) -> PathBuf {
    data_dir.keys_dir().join("signing.pem")
}

/// Runs a command's future on the program's main thread, with the runtime that the server needs.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    actix_web::rt::System::new().block_on(future)
}

impl App {
    /// Starts the service; when this returns, requests are answered.
    ///
    /// An embedded database must die with the thread that starts it, so this is called on the program's main thread.
    ///
    /// # Errors
    ///
    /// Why it does not start; then nothing is left running.
    pub async fn start(config: Config, clock: Clock, ids: Identifiers, secrets: Secrets) -> Result<Self, AppError> {
        let data_dir = DataDir::open(&config.data_dir)?;
        let keys = Keys::open(&config, &data_dir, &clock, &secrets)?;
        // A port that is taken is told before a database is started.
        let (listener, address) = listen(config.listen)?;
        let Connected { pool, hints, cluster } = database::connect(&config, &data_dir).await?;
        let remote = keys.remote.clone();
        let started = async {
            let shared = share(config, pool.clone(), keys, (clock, ids, secrets), address).await?;
            let kept = Arc::new(Kept::read(&shared).await.map_err(AppError::Catalogue)?);
            // Sets that do not come keep nobody from starting: our own keys are there.
            remote.fetch().await;
            let client = Client::new(shared.config.outgoing)?;
            let server = serve((listener, address), &shared, &kept).map_err(AppError::Server)?;
            Ok((shared, kept, client, server))
        };
        let (shared, kept, client, server) = match started.await {
            Ok(started) => started,
            Err(error) => {
                pool.close().await;
                if let Some(cluster) = cluster {
                    cluster.stop().await?;
                }
                return Err(error);
            }
        };
        // From here on nothing fails that would leave the database running.
        let mut background = work_beside(&shared, client);
        let (catalogue, installs) = (kept.catalogue.clone(), kept.installs.clone());
        let follower = catalogue.clone();
        background.start("the catalogue in memory", move |stop| follower.clone().follow(stop));
        background.start("installs in memory", move |stop| installs.clone().settle(stop));
        if let Some(hints) = hints {
            hint_others(&mut background, &shared, hints);
        }
        keep_tokens(&mut background, &shared, remote);
        let (stop_database, stopped) = watch::channel(false);
        Ok(Self {
            address,
            shared,
            catalogue,
            handle: server.handle(),
            server: actix_web::rt::spawn(server),
            background,
            stop_database,
            database: actix_web::rt::spawn(keep(cluster, stopped)),
            _data_dir: data_dir,
        })
    }

    /// Answers requests until `stop` comes, then takes no new ones, lets the running ones end, at most 30 s or until `hurry` comes, and
    /// stops the database last.
    ///
    /// # Errors
    ///
    /// When the server or the embedded database fails before.
    pub async fn run_until(
        mut self,
        stop: impl Future<Output = ()>,
        hurry: impl Future<Output = ()>,
    ) -> Result<(), AppError> {
        let failure = tokio::select! {
            () = stop => None,
            ended = &mut self.server => Some(AppError::Server(joined(ended).err().unwrap_or_else(|| io::Error::other("it ended by itself")))),
            ended = &mut self.database => match ended {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(AppError::Embedded(error)),
                Err(error) => Some(AppError::Server(io::Error::other(error))),
            },
        };
        if failure.is_none() {
            tracing::info!("running requests have {DRAIN_SECONDS} s to end; a second signal cuts them");
        }
        let drained = async {
            self.handle.stop(failure.is_none()).await;
            self.background.stop().await;
            self.shared.pool.close().await;
        };
        // In a hurry the running requests end with the process: the server itself cannot be hurried any more.
        tokio::select! {
            () = drained => {}
            () = hurry => tracing::warn!("running requests are cut"),
        }
        let stopping = self.stop_database.send(true).is_ok();
        let stopped = if stopping && !self.database.is_finished() { self.database.await } else { Ok(Ok(())) };
        match (failure, stopped) {
            (Some(failure), _) => Err(failure),
            (None, Ok(Err(error))) => Err(AppError::Embedded(error)),
            (None, _) => Ok(()),
        }
    }
}

/// The keys of a start: of tokens, and those that the database's secrets are encrypted with.
struct Keys {
    tokens: Arc<Keyring>,
    remote: Arc<Remote>,
    encryption: sealing::Source,
    ring: sealing::Ring,
}

impl Keys {
    fn open(config: &Config, data_dir: &DataDir, clock: &Clock, secrets: &Secrets) -> Result<Self, AppError> {
        let tokens = Arc::new(open_keys(config, data_dir, clock.clone())?);
        let remote = Arc::new(Remote::new(tokens.clone(), config.outgoing)?);
        let is_embedded = matches!(config.database, Database::Embedded { .. });
        let encryption = sealing::Source::of(config.encryption_keys.as_ref(), is_embedded, || Ok(data_dir.keys_dir()))?;
        let ring = encryption.load_or_create(secrets).map_err(sealing::StartError::from)?;
        Ok(Self { tokens, remote, encryption, ring })
    }
}

/// Takes the address; nobody is answered yet.
fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), AppError> {
    let failed = |source| AppError::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// What requests share: with keys that open what is sealed, and every revocation that there is.
async fn share(
    config: Config,
    pool: Pool,
    keys: Keys,
    (clock, ids, secrets): (Clock, Identifiers, Secrets),
    address: SocketAddr,
) -> Result<Arc<Shared>, AppError> {
    let sealing = Sealing::start(pool.clone(), keys.encryption, keys.ring, secrets.clone(), clock.clone()).await?;
    resealing::begin(&pool, &sealing).await.map_err(sealing::StartError::from)?;
    let shared = Arc::new(Shared::new(config, (pool, sealing), keys.tokens, clock, ids, secrets, address));
    // From the first request on.
    revocations::Polling::default().poll(&shared).await.map_err(AppError::Revocations)?;
    Ok(shared)
}

/// Reads the keys of tokens; makes the one that signs when nobody has named one.
fn open_keys(config: &Config, data_dir: &DataDir, clock: Clock) -> Result<Keyring, AppError> {
    // A key that was named must be there: another one in its place would refuse every token.
    let path = config.signing_key.clone().unwrap_or_else(|| signing_key_path(data_dir));
    if config.signing_key.is_none() {
        SigningKey::load_or_create(&path)?;
    }
    Keyring::open(config.issuer.clone(), path, config.verification_keys.clone(), clock).map_err(|error| match error {
        KeyringError::Signing(error) => AppError::SigningKey(error),
        KeyringError::Verification(error) => AppError::Key(error),
    })
}

/// Keeps what tokens are checked with as new as it must be.
fn keep_tokens(background: &mut Background, shared: &Arc<Shared>, remote: Arc<Remote>) {
    let keyring = shared.keyring.clone();
    background.start("files of keys", move |stop| token_keys::watch(keyring.clone(), stop));
    if !remote.is_empty() {
        background.start("key sets of others", move |stop| remote.clone().keep(stop));
    }
    let with = shared.clone();
    background.start("revoked tokens", move |stop| revocations::watch(with.clone(), stop));
    let (pool, clock) = (shared.pool.clone(), shared.clock.clone());
    background.start("old revocations", move |stop| revocations::remove_old(pool.clone(), clock.clone(), stop));
    let pool = shared.pool.clone();
    background.start("old refresh tokens", move |stop| oauth::remove_old(pool.clone(), stop));
}

/// What goes on beside the requests.
fn work_beside(shared: &Arc<Shared>, client: Client) -> Background {
    let mut background = Background::default();
    let config = &shared.config;
    let worker = Arc::new(Worker {
        pool: shared.pool.clone(),
        sealing: shared.sealing.clone(),
        client,
        ids: shared.ids.clone(),
        clock: shared.clock.clone(),
        bell: shared.bell.clone(),
        calls: Arc::new(WidgetCalls {
            pool: shared.pool.clone(),
            sealing: shared.sealing.clone(),
            clock: shared.clock.clone(),
            ids: shared.ids.clone(),
        }),
        metrics: shared.metrics.clone(),
        at_once: config.limits.outgoing_calls,
    });
    background.start("deliveries", move |stop| worker.clone().run(stop));
    let (pool, bell) = (shared.pool.clone(), shared.bell.clone());
    background.start("deadlines", move |stop| sweep::expire(pool.clone(), bell.clone(), stop));
    let (pool, keep) = (shared.pool.clone(), config.keep.clone());
    let retention = Retention { delivered: keep.deliveries, dead: keep.dead_deliveries };
    background.start("old deliveries", move |stop| history::remove_old(pool.clone(), retention, stop));
    let (pool, keep) = (shared.pool.clone(), config.keep.continuations);
    background.start("old records", move |stop| sweep::remove_old(pool.clone(), keep, stop));
    let pool = shared.pool.clone();
    background.start("installs are counted", move |stop| counts::keep(pool.clone(), stop));
    let pool = shared.pool.clone();
    background.start("old changes", move |stop| changes::remove_old(pool.clone(), stop));
    let pool = shared.pool.clone();
    background.start("listings are renewed", move |stop| listing::renew_all(pool.clone(), stop));
    let (pool, sealing) = (shared.pool.clone(), shared.sealing.clone());
    background.start("old rows are sealed", move |stop| resealing::seal_old(pool.clone(), sealing.clone(), stop));
    let (pool, metrics) = (shared.pool.clone(), shared.metrics.clone());
    background.start("numbers to watch", move |stop| monitoring::watch(pool.clone(), metrics.clone(), stop));
    background
}

/// Tells the other servers of the same database of new events, and hears them.
fn hint_others(background: &mut Background, shared: &Shared, hints: Hints) {
    let name = shared.ids.next().to_string();
    let (pool, bell, own) = (shared.pool.clone(), shared.bell.clone(), name.clone());
    background.start("telling other servers", move |stop| hint::tell(pool.clone(), bell.clone(), own.clone(), stop));
    let bell = shared.bell.clone();
    background.start("hearing other servers", move |stop| hint::hear(hints.clone(), bell.clone(), name.clone(), stop));
}

fn joined(ended: Result<io::Result<()>, tokio::task::JoinError>) -> io::Result<()> {
    ended.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Keeps the embedded database running until it is told to stop; one that dies is started again, and requests are answered
/// with 503 in between.
async fn keep(cluster: Option<Cluster>, mut stopped: watch::Receiver<bool>) -> Result<(), EmbeddedError> {
    let Some(mut cluster) = cluster else {
        // Nothing to keep: waits for the end, which comes when the sender goes or speaks.
        let _ = stopped.wait_for(|stop| *stop).await;
        return Ok(());
    };
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return cluster.stop().await,
            error = cluster.exited() => tracing::error!(%error, "the embedded database ended; starting it again"),
        }
        cluster.restart().await?;
    }
}
