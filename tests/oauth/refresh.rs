//! Refresh tokens: good for one use, one of several at once, and never stored.

use futures_util::future::join_all;

use super::{Integration, ask, given, install, refused, works};
use crate::support::{TestApp, test, test_two};

/// Lets time pass for the database's clock.
async fn let_pass(app: &TestApp, column: &'static str, interval: &str) {
    let statement = match column {
        "rotated_at" => "UPDATE refresh_families SET rotated_at = rotated_at - $1::text::interval",
        "expires_at" => "UPDATE refresh_families SET expires_at = expires_at - $1::text::interval",
        other => panic!("{other}"),
    };
    sqlx::query(statement).bind(interval).execute(&app.pool).await.unwrap();
}

/// What the official PHP client does (its OAuth part is a provider for league/oauth2-client): a form with these members in this order, after
/// a 401.
#[test]
fn the_habit_of_the_php_client() {
    test(async |app| {
        let integration = Integration::with_widget(app, "w").await;
        install(app, 5, 50, "w").await;
        let (mut access, mut refresh) = integration.tokens(app, Some(5)).await;
        for _ in 0..3 {
            assert!(works(app, &access).await);
            app.pass(86_400 + 31);
            let expired = app.with_token(Some(access.clone())).get("/api/v4/widgets").await;
            assert_eq!(expired.problem(401), "Invalid user name or password");
            let form = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("client_id", &integration.client)
                .append_pair("client_secret", &integration.secret)
                .append_pair("redirect_uri", "https://example.com/oauth")
                .append_pair("grant_type", "refresh_token")
                .append_pair("refresh_token", &refresh)
                .finish();
            let (newer, next) = given(&ask(app, form).await);
            assert!(newer != access && next != refresh);
            (access, refresh) = (newer, next);
        }
        assert!(works(app, &access).await);
    });
}

#[test]
fn a_used_one_is_refused_and_later_ends_what_came_of_it() {
    test(async |app| {
        let integration = Integration::make(app).await;
        let (_, first) = integration.tokens(app, None).await;
        let (_, second) = given(&integration.refresh(app, &first).await);
        // A client that sends it twice, or has lost the answer, does no harm.
        refused(&integration.refresh(app, &first).await);
        let (_, third) = given(&integration.refresh(app, &second).await);
        // Older ones are nobody's slip.
        let_pass(app, "rotated_at", "31 seconds").await;
        refused(&integration.refresh(app, &second).await);
        refused(&integration.refresh(app, &third).await);
        // What did not come of the same grant goes on.
        let (_, other) = integration.tokens(app, None).await;
        refused(&integration.refresh(app, &first).await);
        given(&integration.refresh(app, &other).await);
    });
}

#[test]
fn one_from_two_uses_ago_ends_it_at_once() {
    test(async |app| {
        let integration = Integration::make(app).await;
        let (_, first) = integration.tokens(app, None).await;
        let (_, second) = given(&integration.refresh(app, &first).await);
        let (_, third) = given(&integration.refresh(app, &second).await);
        refused(&integration.refresh(app, &first).await);
        refused(&integration.refresh(app, &third).await);
    });
}

/// Of somebody who mistypes, or tries what could be one: only what was given once ends anything.
#[test]
fn one_that_was_never_given_ends_nothing() {
    test(async |app| {
        let integration = Integration::make(app).await;
        let (_, token) = integration.tokens(app, None).await;
        let (head, secret) = token.rsplit_once('-').unwrap();
        for at in [0, 43, 44, 63] {
            let other = |character| if character == 'a' { 'b' } else { 'a' };
            let mistyped =
                secret.chars().enumerate().map(|(n, character)| if n == at { other(character) } else { character });
            let mistyped = format!("{head}-{}", mistyped.collect::<String>());
            refused(&integration.refresh(app, &mistyped).await);
        }
        refused(&integration.refresh(app, &format!("{head}-{}", "a".repeat(64))).await);
        given(&integration.refresh(app, &token).await);
    });
}

/// What was given before tokens bore the mark of their family is known as long as it was the last one.
#[test]
fn an_unmarked_one_that_was_the_last_ends_it() {
    test(async |app| {
        let integration = Integration::make(app).await;
        let (_, token) = integration.tokens(app, None).await;
        let unmarked = format!("{}-{}", token.rsplit_once('-').unwrap().0, "a".repeat(64));
        let digest = widget_registry::digest::Sha256::of(&[unmarked.as_bytes()]);
        let put = "UPDATE refresh_families SET token_sha256 = $1";
        sqlx::query(put).bind(digest.0).execute(&app.pool).await.unwrap();
        let (_, next) = given(&integration.refresh(app, &unmarked).await);
        let_pass(app, "rotated_at", "31 seconds").await;
        refused(&integration.refresh(app, &unmarked).await);
        refused(&integration.refresh(app, &next).await);
    });
}

#[test]
fn of_several_at_once_one_wins_and_goes_on() {
    test_two(async |first, second| {
        let integration = Integration::make(first).await;
        let (_, mut token) = integration.tokens(first, None).await;
        for _ in 0..5 {
            let uses = (0..8).map(|n| integration.refresh(if n % 2 == 0 { first } else { second }, &token));
            let answers = join_all(uses).await;
            let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
            assert_eq!((won.len(), lost.len()), (1, 7));
            for answer in lost {
                refused(answer);
            }
            token = given(won[0]).1;
        }
    });
}

#[test]
fn whatever_is_wrong_is_answered_alike() {
    test(async |app| {
        let (integration, stranger) = (Integration::make(app).await, Integration::make(app).await);
        let (access, token) = integration.tokens(app, None).await;
        let (_, old) = integration.tokens(app, None).await;
        let mut bodies = vec![
            refused(&integration.refresh(app, &access).await),
            refused(&integration.refresh(app, "x").await),
            refused(&integration.refresh(app, &"x".repeat(9_000)).await),
            refused(&integration.refresh(app, &format!("refresh-1-{}-{}", "0".repeat(32), "a".repeat(64))).await),
            refused(&integration.refresh(app, &token.replacen("refresh-1-", "refresh-2-", 1)).await),
            // Somebody else's, which stays what it is.
            refused(&stranger.refresh(app, &token).await),
        ];
        let_pass(app, "expires_at", "3 months").await;
        bodies.push(refused(&integration.refresh(app, &old).await));
        bodies.dedup();
        assert_eq!(bodies.len(), 1);
    });
}

#[test]
fn somebody_elses_token_is_not_ended() {
    test(async |app| {
        let (integration, stranger) = (Integration::make(app).await, Integration::make(app).await);
        let (_, token) = integration.tokens(app, None).await;
        refused(&stranger.refresh(app, &token).await);
        given(&integration.refresh(app, &token).await);
    });
}

#[test]
fn it_lives_for_three_months_after_its_last_use() {
    test(async |app| {
        let integration = Integration::make(app).await;
        let (_, token) = integration.tokens(app, None).await;
        let left = "SELECT round(extract(epoch FROM expires_at - now()) / 86400)::bigint FROM refresh_families";
        let days: i64 = sqlx::query_scalar(left).fetch_one(&app.pool).await.unwrap();
        assert!((89..=92).contains(&days), "{days}");
        let_pass(app, "expires_at", "60 days").await;
        given(&integration.refresh(app, &token).await);
        let days: i64 = sqlx::query_scalar(left).fetch_one(&app.pool).await.unwrap();
        assert!((89..=92).contains(&days), "{days}");
        let_pass(app, "expires_at", "3 months").await;
        let removed = async || widget_registry::oauth::remove_some(&app.service, 100).await.unwrap();
        // The service itself may be faster.
        removed().await;
        assert_eq!(removed().await, 0);
        let count: i64 =
            sqlx::query_scalar("SELECT count(*) FROM refresh_families").fetch_one(&app.pool).await.unwrap();
        assert_eq!(count, 0);
    });
}

#[test]
fn only_digests_are_stored() {
    test(async |app| {
        let integration = Integration::make(app).await;
        let (access, first) = integration.tokens(app, None).await;
        let (_, second) = given(&integration.refresh(app, &first).await);
        let rows: Vec<String> =
            sqlx::query_scalar("SELECT f::text FROM refresh_families f").fetch_all(&app.pool).await.unwrap();
        assert_eq!(rows.len(), 1);
        let hex = |text: &str| text.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        for token in [&access, &first, &second, &integration.secret] {
            let secret = token.rsplit(['-', '.']).next().unwrap();
            assert!(!rows[0].contains(secret) && !rows[0].contains(&hex(secret)), "{}", rows[0]);
        }
        // And the digest is that of the whole text.
        let digest = widget_registry::digest::Sha256::of(&[second.as_bytes()]).to_string();
        assert!(rows[0].contains(&digest), "{}", rows[0]);
    });
}
