//! Votes: who may, what they come to, and what many at once come to.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Claims, Client, Sample, TestApp, test};

const RATING: &str = "/registry/v1/widgets/rated/rating";

async fn prepare(app: &TestApp, accounts: i64) {
    app.publish(&Sample::plain("rated")).await;
    for account in 1..=accounts {
        let admin = app.caller(Claims::admin(account, 7));
        assert_eq!(admin.post("/api/v4/widgets/rated", "{}").await.status, 200);
    }
}

async fn rate(client: &Client, stars: i64) -> Value {
    let answer = client.put(RATING, &format!("{{\"stars\":{stars}}}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["rating"].clone()
}

async fn shown(app: &TestApp) -> Value {
    app.user().get("/api/v4/widgets/rated").await.json()["rating"].clone()
}

#[test]
fn the_mean_of_the_votes_is_shown_with_a_comma() {
    test(async |app| {
        prepare(app, 2).await;
        assert_eq!(shown(app).await, "0");
        let (one, other) = (app.user(), app.caller(Claims::user(2, 8)));
        assert_eq!(rate(&one, 3).await, "3,0");
        assert_eq!(rate(&other, 2).await, "2,5");
        assert_eq!(rate(&app.caller(Claims::user(1, 9)), 3).await, "2,7");
        assert_eq!(shown(app).await, "2,7");
        // One vote per user, changeable and removable.
        assert_eq!(rate(&one, 5).await, "3,3");
        assert_eq!(one.delete(RATING).await.json(), json!({"rating": "2,5"}));
        assert_eq!(one.delete(RATING).await.json(), json!({"rating": "2,5"}));
        other.delete(RATING).await;
        app.caller(Claims::user(1, 9)).delete(RATING).await;
        assert_eq!(shown(app).await, "0");
    });
}

#[test]
fn only_users_of_accounts_that_installed_it_vote() {
    test(async |app| {
        prepare(app, 1).await;
        app.caller(Claims::admin(2, 7)).put(RATING, r#"{"stars":1}"#).await.problem(404);
        app.user().put("/registry/v1/widgets/unknown/rating", r#"{"stars":1}"#).await.problem(404);
        for (body, error) in [
            ("{}", "FieldMissing stars"),
            (r#"{"stars":0}"#, "NotSupportedChoice stars"),
            (r#"{"stars":6}"#, "NotSupportedChoice stars"),
            (r#"{"stars":65537}"#, "NotSupportedChoice stars"),
            (r#"{"stars":"5"}"#, "InvalidType stars"),
            (r#"{"stars":2.5}"#, "InvalidType stars"),
            (r#"{"stars":null}"#, "InvalidType stars"),
            ("[]", "InvalidType "),
        ] {
            assert_eq!(app.user().put(RATING, body).await.violations(), [error], "{body}");
        }
        app.user().put("/registry/v1/widgets/unknown/rating", "{}").await.problem(404);
        assert_eq!(shown(app).await, "0");
    });
}

#[test]
fn votes_at_once_are_all_counted() {
    test(async |app| {
        prepare(app, 1).await;
        let voters: Vec<_> = (1..=30).map(|user| app.caller(Claims::user(1, user))).collect();
        join_all(voters.iter().enumerate().map(|(number, voter)| rate(voter, i64::try_from(number % 5).unwrap() + 1)))
            .await;
        let row: (i64, i64, i16) = sqlx::query_as("SELECT rating_sum, rating_count, rating_tenths FROM widgets")
            .fetch_one(&app.pool)
            .await
            .unwrap();
        assert_eq!(row, (90, 30, 30));
        let kept: i64 = sqlx::query_scalar("SELECT sum(stars) FROM ratings").fetch_one(&app.pool).await.unwrap();
        assert_eq!(kept, 90);
    });
}
