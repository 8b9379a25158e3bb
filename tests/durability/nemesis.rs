//! Breaks things while the clients work, and mends them.

use std::time::Duration;

use crate::BADLY_ENDED;
use crate::book::Chance;
use crate::postgres::wake;
use crate::proxy::Weather;
use crate::world::World;

/// What can be done to the service and its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// `kill -9` of a server.
    ServerKilled,
    /// PostgreSQL ends at once: SIGQUIT, as `pg_ctl -m immediate` does it.
    PostgresStopped,
    /// `kill -9` of all of PostgreSQL's processes.
    PostgresKilled,
    /// `kill -9` of a server and of all of PostgreSQL's processes.
    BothKilled,
    /// PostgreSQL stands still for some seconds.
    PostgresHung,
    /// SIGTERM, while requests wait for a database that stands still for a moment.
    ServerTerminated,
    /// Two servers: one is stopped with SIGTERM, the other killed.
    OneOfEach,
    /// Every connection to the database is cut, for a while.
    ConnectionCut,
    /// Everything between servers and database takes longer, for a while.
    ConnectionDelayed,
    /// The answers to COMMIT are dropped, for a while.
    AnswersDropped,
}

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Self::ServerKilled => "kills: server, -9",
            Self::PostgresStopped => "kills: PostgreSQL, immediate stop",
            Self::PostgresKilled => "kills: PostgreSQL, -9",
            Self::BothKilled => "kills: server and PostgreSQL, -9",
            Self::OneOfEach => "kills: one server -9, the other SIGTERM",
            Self::PostgresHung => "faults: PostgreSQL hung for seconds",
            Self::ServerTerminated => "faults: server, SIGTERM under load",
            Self::ConnectionCut => "faults: database connections cut",
            Self::ConnectionDelayed => "faults: database connections delayed",
            Self::AnswersDropped => "faults: answers to COMMIT dropped",
        }
    }
}

/// So many kills in random order, each kind as often as the others, and between them the faults that end no process.
fn plan(kills: u64, chance: &mut Chance, shared: bool) -> Vec<Fault> {
    use Fault as F;
    let deadly: &[F] = match shared {
        false => &[F::ServerKilled, F::PostgresStopped, F::PostgresKilled, F::BothKilled],
        true => &[F::ServerKilled, F::PostgresStopped, F::OneOfEach],
    };
    let others: &[F] = match shared {
        false => &[F::ServerTerminated, F::PostgresHung],
        true => &[F::AnswersDropped, F::ConnectionCut, F::ServerTerminated, F::ConnectionDelayed],
    };
    let mut deadly: Vec<_> = deadly.iter().copied().cycle().take(usize::try_from(kills).unwrap()).collect();
    chance.shuffle(&mut deadly);
    let pairs = deadly.into_iter().zip(others.iter().copied().cycle());
    pairs.enumerate().flat_map(|(at, (kill, other))| [Some(kill), (at % 2 == 0).then_some(other)]).flatten().collect()
}

/// Breaks and mends until `continues` are acknowledged and all kills are done.
pub async fn run(world: &mut World, kills: u64, continues: u64, mut chance: Chance) {
    let plan = plan(kills, &mut chance, world.proxy.is_some());
    let steps = plan.len() as u64 + 1;
    for (step, fault) in (1..).zip(plan) {
        reach(world, step * continues / steps).await;
        tokio::time::sleep(Duration::from_millis(chance.below(150))).await;
        world.book.count(fault.name());
        strike(world, fault, &mut chance).await;
        world.heal().await;
    }
    reach(world, continues).await;
    world.book.end_clients();
}

/// Waits until so many continues are acknowledged.
async fn reach(world: &mut World, acknowledged: u64) {
    while world.book.acknowledged() < acknowledged {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn strike(world: &mut World, fault: Fault, chance: &mut Chance) {
    let any = usize::try_from(chance.below(world.servers.len() as u64)).unwrap();
    match fault {
        Fault::ServerKilled => {
            world.servers[any].kill().await;
            world.servers[any].start().await;
        }
        Fault::PostgresStopped => assert!(world.postgres.stop_at_once(), "a PostgreSQL runs"),
        Fault::PostgresKilled => assert!(world.postgres.kill(), "a PostgreSQL runs"),
        Fault::BothKilled => {
            assert!(world.postgres.kill(), "a PostgreSQL runs");
            world.servers[any].kill().await;
            world.servers[any].start().await;
        }
        Fault::PostgresHung => stand_still(world, Duration::from_millis(1_000 + chance.below(3_000))).await,
        Fault::ServerTerminated => terminate(world, any).await,
        Fault::OneOfEach => {
            let other = (any + 1) % world.servers.len();
            world.servers[any].kill().await;
            terminate(world, other).await;
            world.servers[any].start().await;
        }
        Fault::ConnectionCut => weather(world, Weather::Cut, 500 + chance.below(1_500)).await,
        Fault::ConnectionDelayed => {
            weather(world, Weather::Delayed(Duration::from_millis(20 + chance.below(80))), 3_000).await;
        }
        Fault::AnswersDropped => weather(world, Weather::AnswersDropped, 500 + chance.below(1_000)).await,
    }
}

async fn stand_still(world: &World, time: Duration) {
    let processes = world.postgres.hang();
    tokio::time::sleep(time).await;
    wake(&processes);
}

async fn weather(world: &World, weather: Weather, milliseconds: u64) {
    let proxy = world.proxy.as_ref().unwrap();
    proxy.set(weather);
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    proxy.set(Weather::Fair);
}

/// Stops a server while requests are under way for certain: the database stands still until the signal is sent.
async fn terminate(world: &mut World, server: usize) {
    let processes = world.postgres.hang();
    tokio::time::sleep(Duration::from_millis(250)).await;
    world.book.terminated(server, world.book.now());
    let ended = world.servers[server].terminate();
    let woken = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        wake(&processes);
    };
    let (status, ()) = tokio::join!(ended, woken);
    if !status.success() {
        world.book.count(BADLY_ENDED);
    }
    world.servers[server].start().await;
}
