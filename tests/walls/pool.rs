//! The pool: a connection of another part is taken, and waited for, when the own ones are in use; and what is given up leaves nothing behind.

use widget_registry::auth::AccountId;
use widget_registry::config::{Config, Sources};
use widget_registry::database::{Pool, options_of};

use crate::support::{TestApp, test};

/// A pool of two parts: one connection beside, four for the only thread that answers.
fn pool(app: &TestApp) -> Pool {
    let limits = Config::read(Sources::default()).config.unwrap().limits;
    Pool::new(options_of(&app.database_url.clone().into()).unwrap(), 5, 1, &limits)
}

#[test]
fn connections_of_every_part_are_used_and_waited_for() {
    test(async |app| {
        let pool = pool(app);
        let mut held = Vec::new();
        for _ in 0..5 {
            assert!(pool.has_more());
            held.push(pool.catalogue().await.unwrap());
        }
        assert!(!pool.has_more());
        assert_eq!((pool.size(), pool.num_idle()), (5, 0));
        // This thread's own part is the first one's; what becomes free is of the other.
        for _ in 0..5 {
            let freed = held.remove(0);
            let (taken, ()) = tokio::join!(pool.catalogue(), async { drop(freed) });
            held.push(taken.unwrap());
            assert_eq!(pool.size(), 5);
        }
        held.clear();
        pool.close().await;
    });
}

/// A transaction that is given up while it begins, as by a client that leaves, must not be open for whoever comes next: what they do would
/// not be committed, and be seen as another account's.
#[test]
fn what_is_given_up_while_it_begins_is_not_open_for_the_next() {
    test(async |app| {
        let limits = Config::read(Sources::default()).config.unwrap().limits;
        let pool = Pool::new(options_of(&app.database_url.clone().into()).unwrap(), 1, 0, &limits);
        let account = AccountId::new(7).unwrap();
        drop(pool.begin_for(account).await.unwrap());
        for patience in 0..200 {
            let give_up = async {
                for _ in 0..patience {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                biased;
                begun = pool.begin_for(account) => drop(begun.unwrap()),
                () = give_up => {}
            }
            let alone =
                "SELECT pg_current_xact_id()::text, coalesce(current_setting('widget_registry.account_id', true), '')";
            let mut connection = pool.alone().await.unwrap();
            let mut seen = Vec::new();
            for _ in 0..2 {
                seen.push(sqlx::query_as::<_, (String, String)>(alone).fetch_one(&mut *connection).await.unwrap());
            }
            assert_ne!(seen[0].0, seen[1].0, "a transaction was open: {patience}");
            assert_eq!(seen[0].1, "", "{patience}");
        }
        pool.close().await;
    });
}
