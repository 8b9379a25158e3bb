//! The numbers to watch, after operations whose numbers are known.

#![expect(clippy::float_cmp, reason = "counts are whole numbers")]

use std::collections::BTreeMap;

use serde_json::{Value, json};
use widget_registry::metrics::Metrics;
use widget_registry::monitoring;

use crate::delivery::{ack, engine_of, lease_now, let_time_pass, local, open, open_pushed, proceed, until};
use crate::support::{Engine, Setup, TestApp, test, test_with};

/// Every series of the text with its value.
fn series(text: &str) -> BTreeMap<String, f64> {
    assert!(text.ends_with("# EOF\n"), "{text}");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
        .collect()
}

/// What the service tells.
async fn told(app: &TestApp) -> BTreeMap<String, f64> {
    let answer = app.with_token(None).get("/metrics").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, widget_registry::metrics::CONTENT_TYPE));
    series(answer.text())
}

/// What is in the database, as it is told.
async fn sampled(app: &TestApp) -> BTreeMap<String, f64> {
    let metrics = Metrics::default();
    metrics.sampled(&monitoring::sample(&app.service).await.unwrap());
    series(&metrics.text().unwrap())
}

async fn execute(app: &TestApp, statement: &'static str) {
    sqlx::query(statement).execute(&app.pool).await.unwrap();
}

fn between(value: f64, least: f64, most: f64) {
    assert!((least..=most).contains(&value), "{value} is not between {least} and {most}");
}

#[test]
fn bots_that_wait_are_counted() {
    test(async |app| {
        let of = |numbers: &BTreeMap<String, f64>, name: &str, kind: &str| {
            numbers[&format!("widget_registry_continuations_{name}{{bot_type=\"{kind}\"}}")]
        };
        let empty = sampled(app).await;
        for kind in ["salesbot", "marketingbot"] {
            assert_eq!([of(&empty, "waiting", kind), of(&empty, "oldest_waiting_age_seconds", kind)], [0.0, 0.0]);
        }
        assert!(!empty.keys().any(|name| name.contains("account_id")), "{empty:?}");
        let engine = engine_of(app).await;
        for bot in [1, 1, 2] {
            open(&engine, bot, json!({})).await;
        }
        let over = open(&engine, 3, json!({})).await;
        execute(app, "UPDATE continuations SET opened_at = now() - bot_id * interval '100 s'").await;
        proceed(app, 3, over).await;
        let numbers = sampled(app).await;
        assert_eq!([of(&numbers, "waiting", "salesbot"), of(&numbers, "waiting", "marketingbot")], [3.0, 0.0]);
        between(of(&numbers, "oldest_waiting_age_seconds", "salesbot"), 200.0, 260.0);
        let bots: Vec<_> = numbers.iter().filter(|(name, _)| name.contains("account_id=\"1\"")).collect();
        assert_eq!(bots.len(), 2, "{numbers:?}");
        for (bot, (name, age)) in (1..).zip(bots) {
            assert!(name.starts_with("widget_registry_continuations_bot_oldest_waiting_age_seconds{"), "{name}");
            assert!(name.contains(&format!("bot_id=\"{bot}\"")), "{name}");
            between(*age, f64::from(bot) * 100.0, f64::from(bot) * 100.0 + 60.0);
        }
    });
}

#[test]
fn a_few_of_the_bots_that_wait_longest_are_told() {
    test(async |app| {
        let engine = engine_of(app).await;
        for bot in 1..=25 {
            open(&engine, bot, json!({})).await;
        }
        execute(app, "UPDATE continuations SET opened_at = now() - bot_id * interval '1 h'").await;
        let metrics = Metrics::default();
        metrics.sampled(&monitoring::sample(&app.service).await.unwrap());
        execute(app, "UPDATE continuations SET state = 'cancelled', closed_at = now() WHERE bot_id > 10").await;
        let bots = |metrics: &Metrics| {
            let numbers = series(&metrics.text().unwrap());
            let ages = numbers.iter().filter(|(name, _)| name.contains("bot_id")).map(|(_, age)| *age);
            let mut hours: Vec<f64> = ages.map(|age| (age / 3_600.0).floor()).collect();
            hours.sort_by(f64::total_cmp);
            hours
        };
        assert_eq!(bots(&metrics), (6..=25).map(f64::from).collect::<Vec<_>>());
        // Those that wait no more are forgotten.
        metrics.sampled(&monitoring::sample(&app.service).await.unwrap());
        assert_eq!(bots(&metrics), (1..=10).map(f64::from).collect::<Vec<_>>());
    });
}

#[test]
fn deliveries_that_are_not_over_are_counted() {
    test(async |app| {
        let engine = engine_of(app).await;
        for bot in 1..=4 {
            let id = open(&engine, bot, json!({})).await;
            proceed(app, bot, id).await;
        }
        execute(app, "UPDATE deliveries SET created_at = now() - id * interval '100 s'").await;
        let states = |numbers: &BTreeMap<String, f64>, way: &str| {
            ["ready", "leased", "dead"].map(|state| {
                let mut found = numbers.iter().filter(|(name, _)| {
                    name.starts_with("widget_registry_deliveries{")
                        && name.contains(&format!("way=\"{way}\""))
                        && name.contains(&format!("state=\"{state}\""))
                });
                *found.next().unwrap().1
            })
        };
        let numbers = sampled(app).await;
        assert_eq!(states(&numbers, "pull"), [4.0, 0.0, 0.0]);
        between(numbers["widget_registry_deliveries_oldest_ready_age_seconds{way=\"pull\"}"], 400.0, 460.0);
        let leased = lease_now(&engine, 3).await;
        assert_eq!(ack(&engine, &leased[0]).await, 204);
        execute(app, "UPDATE deliveries SET give_up_at = now() WHERE state = 'leased'").await;
        let body = json!({"lease_token": leased[1]["lease_token"]}).to_string();
        let path = format!("/registry/v1/deliveries/{}/nack", leased[1]["id"]);
        assert_eq!(engine.post(&path, &body).await.status, 204);
        let numbers = sampled(app).await;
        assert_eq!(states(&numbers, "pull"), [1.0, 1.0, 1.0]);
        for way in ["push", "call"] {
            assert_eq!(states(&numbers, way), [0.0, 0.0, 0.0]);
        }
        assert_eq!(lease_now(&engine, 3).await.len(), 1);
        let numbers = sampled(app).await;
        assert_eq!(numbers["widget_registry_deliveries_oldest_ready_age_seconds{way=\"pull\"}"], 0.0);
    });
}

/// The number of tries of this way with this outcome.
fn tries(numbers: &BTreeMap<String, f64>, way: &str, outcome: &str) -> f64 {
    let name = format!("widget_registry_delivery_attempts_total{{way=\"{way}\",outcome=\"{outcome}\"}}");
    numbers.get(&name).copied().unwrap_or_default()
}

fn arrived(numbers: &BTreeMap<String, f64>, way: &str, within: &str) -> f64 {
    numbers[&format!("widget_registry_accept_to_engine_seconds_bucket{{le=\"{within}\",way=\"{way}\"}}")]
}

#[test]
fn tries_and_their_time_are_counted() {
    test(async |app| {
        let engine = engine_of(app).await;
        let nack = async |leased: &Value| {
            let body = json!({"lease_token": leased["lease_token"], "retry_after_seconds": 0}).to_string();
            engine.post(&format!("/registry/v1/deliveries/{}/nack", leased["id"]), &body).await.status
        };
        let id = open(&engine, 1, json!({})).await;
        proceed(app, 1, id).await;
        execute(app, "UPDATE deliveries SET created_at = now() - interval '100 s'").await;
        let abandoned = lease_now(&engine, 1).await.remove(0);
        let_time_pass(app).await;
        let refused = lease_now(&engine, 1).await.remove(0);
        // Counts for nothing: its lease is over.
        assert_eq!(ack(&engine, &abandoned).await, 409);
        assert_eq!(nack(&refused).await, 204);
        assert_eq!(ack(&engine, &lease_now(&engine, 1).await[0]).await, 204);
        let numbers = told(app).await;
        for outcome in ["abandoned", "refused", "delivered"] {
            assert_eq!(tries(&numbers, "pull", outcome), 1.0, "{outcome}: {numbers:?}");
        }
        assert_eq!([arrived(&numbers, "pull", "60.0"), arrived(&numbers, "pull", "300.0")], [0.0, 1.0]);
        between(numbers["widget_registry_accept_to_engine_seconds_sum{way=\"pull\"}"], 100.0, 160.0);
    });
}

#[test]
fn pushed_events_are_counted_and_dead_ones_have_no_time() {
    test_with(local(), async |app| {
        let engine = engine_of(app).await;
        let (gone, good) = (Engine::answering(410).await, Engine::answering(200).await);
        let dead = open_pushed(&engine, 1, &gone).await;
        proceed(app, 1, dead).await;
        until(app, &engine, dead, "dead").await;
        let delivered = open_pushed(&engine, 2, &good).await;
        proceed(app, 2, delivered).await;
        until(app, &engine, delivered, "delivered").await;
        // What was written is counted a moment after.
        let numbers = loop {
            let numbers = told(app).await;
            if tries(&numbers, "push", "delivered") > 0.0 {
                break numbers;
            }
        };
        assert_eq!([tries(&numbers, "push", "gone"), tries(&numbers, "push", "delivered")], [1.0, 1.0]);
        assert_eq!(arrived(&numbers, "push", "+Inf"), 1.0);
    });
}

#[test]
fn requests_are_counted_by_route_and_not_by_path() {
    test(async |app| {
        let client = app.admin();
        for code in ["one", "two", "three"] {
            assert_eq!(client.get(&format!("/api/v4/widgets/{code}")).await.status, 404);
        }
        assert_eq!(client.get("/no/such/path").await.status, 404);
        client.send(client.request("BREW", "/api/v4/widgets/tea")).await.problem(405);
        let numbers = told(app).await;
        let requests = |method: &str, route: &str, status: u16| {
            let labels = format!("method=\"{method}\",route=\"{route}\",status=\"{status}\"");
            numbers.get(&format!("widget_registry_http_requests_total{{{labels}}}")).copied().unwrap_or_default()
        };
        let route = "/api/v4/widgets/{code}";
        assert_eq!(requests("GET", route, 404), 3.0, "{numbers:?}");
        assert_eq!([requests("GET", "none", 404), requests("other", route, 405)], [1.0, 1.0]);
        let name = format!("widget_registry_http_request_duration_seconds_count{{method=\"GET\",route=\"{route}\"}}");
        assert_eq!(numbers[&name], 3.0);
        let last = name.replace("_count{", "_bucket{le=\"+Inf\",");
        assert_eq!(numbers[&last], 3.0, "{numbers:?}");
        assert!(!numbers.keys().any(|name| name.contains("tea") || name.contains("/no/such")), "{numbers:?}");
    });
}

#[test]
fn the_running_service_samples_by_itself() {
    test_with(Setup::default().set("database_connections", 5), async |app| {
        let numbers = loop {
            let numbers = told(app).await;
            if numbers.contains_key("widget_registry_continuations_waiting{bot_type=\"salesbot\"}") {
                break numbers;
            }
        };
        between(numbers["widget_registry_sample_age_seconds"], 0.0, 60.0);
        assert_eq!(numbers["widget_registry_database_connections_max"], 5.0);
        let open = ["idle", "in_use"]
            .map(|state| numbers[&format!("widget_registry_database_connections{{state=\"{state}\"}}")]);
        between(open[0] + open[1], 1.0, 5.0);
        let version = concat!("widget_registry_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}");
        assert_eq!(numbers[version], 1.0);
    });
}

#[test]
fn who_may_read_them_is_a_setting() {
    for (setting, here, forwarded) in [(None, 200, 404), (Some("off"), 404, 404), (Some("open"), 200, 200)] {
        let setup = Setup::default();
        let setup = if let Some(value) = setting { setup.set("metrics", value) } else { setup };
        test_with(setup, async |app| {
            let client = app.with_token(None);
            let plain = client.get("/metrics").await;
            let through_proxy =
                client.send(client.request("GET", "/metrics").header("x-forwarded-for", "127.0.0.1")).await;
            assert_eq!((plain.status, through_proxy.status), (here, forwarded), "{setting:?}");
            for answer in [plain, through_proxy].iter().filter(|answer| answer.status == 404) {
                let unknown = client.get("/metricz").await;
                assert_eq!(answer.problem(404).replace("/metrics", "/metricz"), unknown.problem(404));
            }
        });
    }
}
