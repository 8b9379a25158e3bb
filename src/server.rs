//! The HTTP server: threads that take requests from connections and answer each by the route table.

use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_http::{HttpService, Request};
use actix_web::dev::{Extensions, Response, Server, fn_service};
use tokio::sync::Notify;

use crate::http::exchange::exchange;
use crate::http::paths::Paths;
use crate::http::service::Service;
use crate::http::shared::Shared;
use crate::routes;
use crate::threads;
use crate::v4::kept::Kept;

/// Seconds that requests have to end when the service stops.
pub const DRAIN_SECONDS: u64 = 30;

/// Time that a client may leave a connection unused.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Time that a client has to close its side of a connection that is being closed.
const DISCONNECT: Duration = Duration::from_secs(1);

/// Answers requests that come in at this address. They go through no application of the framework: one route table stands for all that
/// it would do.
///
/// # Errors
///
/// When the address cannot be listened on, or two paths of the route table mean the same.
pub fn serve(
    (listener, address): (TcpListener, SocketAddr),
    shared: &Arc<Shared>,
    kept: &Arc<Kept>,
) -> io::Result<Server> {
    let config = &shared.config;
    let paths = Arc::new(Paths::of(routes::table()).map_err(io::Error::other)?);
    let server = Server::build().workers(config.threads()).shutdown_timeout(DRAIN_SECONDS).disable_signals();
    let (stops, head_time) = (server.graceful_shutdown_signal(), config.limits.head_time);
    let (shared, kept, numbers) = (shared.clone(), kept.clone(), Arc::new(AtomicUsize::new(0)));
    // Made by each thread for itself.
    let answering = move || {
        threads::answers_requests(numbers.fetch_add(1, Ordering::Relaxed));
        let mut state = Extensions::new();
        state.insert(kept.catalogue.clone());
        state.insert(kept.installs.clone());
        state.insert(kept.clone());
        let service = Rc::new(Service::new(shared.clone(), paths.clone(), state, address));
        let stops = stops.clone();
        let stop = ThreadStop::after(async move { stops.notified().await });
        HttpService::build()
            .graceful_shutdown_signal(move || stop.clone().asked())
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(head_time)
            .client_disconnect_timeout(DISCONNECT)
            .local_addr(address)
            .finish(fn_service(move |request: Request| {
                let service = service.clone();
                async move { Ok::<_, Infallible>(Response::from(exchange(request, service).await)) }
            }))
            .tcp()
    };
    Ok(server.listen("http", listener, answering)?.run())
}

/// Tells the connections of one thread that the server stops. Each looks whenever something happens to it, and at what all threads share
/// they would wait for each other.
#[derive(Debug, Clone, Default)]
struct ThreadStop(Rc<(Cell<bool>, Notify)>);

impl ThreadStop {
    /// Tells them when this has ended.
    fn after(stops: impl Future<Output = ()> + 'static) -> Self {
        let stop = Self::default();
        let asks = stop.clone();
        actix_web::rt::spawn(async move {
            stops.await;
            let (is_asked, told) = &*asks.0;
            is_asked.set(true);
            told.notify_waiters();
        });
        stop
    }

    async fn asked(self) {
        let (is_asked, told) = &*self.0;
        // Nothing comes between these two on one thread.
        if !is_asked.get() {
            told.notified().await;
        }
    }
}
