//! Handing a widget over.

use futures_util::future::join;
use uuid::Uuid;

use crate::support::{Answer, Claims, Client, Sample, TestApp, test};

const CLIENT: Uuid = Uuid::from_u128(0x6666_6666_6666_4666_8666_6666_6666_6666);
const OTHER: Uuid = Uuid::from_u128(0x7777_7777_7777_4777_8777_7777_7777_7777);

fn publisher(app: &TestApp, account: i64, user: i64) -> Client {
    app.caller(Claims::admin(account, user).scopes(&["publish"]))
}

async fn publish(client: &Client, code: &str, version: &str, more: &str) -> Answer {
    let archive = Sample::plain(code).version(version).zip();
    client.post_bytes(&format!("/registry/v1/widgets?code={code}{more}"), "application/zip", archive).await
}

async fn hand_over(client: &Client, code: &str, account: i64, user: i64) -> Answer {
    let body = format!(r#"{{"account_id":{account},"user_id":{user}}}"#);
    client.put(&format!("/registry/v1/widgets/{code}/owner"), &body).await
}

/// Widgets whose integration is somebody else's.
async fn strays(app: &TestApp) -> i64 {
    let query = "SELECT count(*) FROM widgets w JOIN integrations g USING (client_uuid) \
         WHERE (w.owner_account_id, w.owner_user_id) <> (g.owner_account_id, g.owner_user_id)";
    sqlx::query_scalar(query).fetch_one(&app.pool).await.unwrap()
}

#[test]
fn a_widget_goes_to_its_new_owner_with_its_integration() {
    test(async |app| {
        let (old, new) = (publisher(app, 1, 7), publisher(app, 2, 9));
        assert_eq!(publish(&old, "given", "1.0.0", &format!("&client_uuid={CLIENT}")).await.status, 201);
        let given = hand_over(&old, "given", 2, 9).await;
        assert_eq!((given.status, given.text()), (200, r#"{"account_id":2,"user_id":9}"#));
        // It is private, so who sees it tells whose it is.
        old.get("/api/v4/widgets/given").await.problem(404);
        assert_eq!(new.get("/api/v4/widgets/given").await.json()["client_uuid"], CLIENT.to_string());
        // So is the right to publish it and to hand it on, and the integration.
        publish(&old, "given", "2.0.0", "").await.problem(409);
        publish(&old, "other", "1.0.0", &format!("&client_uuid={CLIENT}")).await.problem(409);
        hand_over(&old, "given", 1, 7).await.problem(404);
        old.get(&format!("/registry/v1/integrations/{CLIENT}")).await.problem(404);
        assert_eq!(new.get(&format!("/registry/v1/integrations/{CLIENT}")).await.status, 200);
        assert_eq!(publish(&new, "given", "2.0.0", &format!("&client_uuid={CLIENT}")).await.status, 201);
        assert_eq!((strays(app).await, hand_over(&new, "given", 2, 9).await.status), (0, 200));
    });
}

#[test]
fn an_integration_of_two_widgets_keeps_both() {
    test(async |app| {
        let old = publisher(app, 1, 7);
        for code in ["one", "two"] {
            assert_eq!(publish(&old, code, "1.0.0", &format!("&client_uuid={CLIENT}")).await.status, 201);
        }
        let before = app.contents().await;
        assert_eq!(
            hand_over(&old, "one", 2, 9).await.problem(409),
            format!(
                "the integration {CLIENT} goes with the widget, and is also that of `two`; publish this widget again with another \
                 client_uuid, then hand it over"
            )
        );
        assert_eq!(app.contents().await, before);
        // What the refusal says to do works, with the very archive that is there.
        assert_eq!(publish(&old, "one", "1.0.0", &format!("&client_uuid={OTHER}")).await.status, 200);
        assert_eq!(hand_over(&old, "one", 2, 9).await.status, 200);
        assert_eq!(hand_over(&old, "two", 3, 9).await.status, 200);
        assert_eq!(strays(app).await, 0);
    });
}

#[test]
fn only_the_owner_hands_over_and_only_to_a_user() {
    test(async |app| {
        let old = publisher(app, 1, 7);
        assert_eq!(publish(&old, "given", "1.0.0", "").await.status, 201);
        let before = app.contents().await;
        for stranger in [publisher(app, 1, 8), publisher(app, 2, 7)] {
            hand_over(&stranger, "given", 2, 7).await.problem(404);
            hand_over(&stranger, "given", 0, 7).await.problem(404);
        }
        hand_over(&old, "unknown", 2, 7).await.problem(404);
        for (body, errors) in [
            ("", &["InvalidType "][..]),
            ("{}", &["FieldMissing account_id", "FieldMissing user_id"]),
            (r#"{"account_id":0,"user_id":-1}"#, &["TooLow account_id", "TooLow user_id"]),
            (r#"{"account_id":"1","user_id":1.5}"#, &["InvalidType account_id", "InvalidType user_id"]),
            (r#"{"account_id":1,"user_id":8,"note":1}"#, &["NotExpected note"]),
        ] {
            let refused = old.put("/registry/v1/widgets/given/owner", body).await;
            assert_eq!(refused.violations(), errors, "{body}");
        }
        assert_eq!(app.contents().await, before);
    });
}

#[test]
fn no_other_widget_gets_the_integration_meanwhile() {
    test(async |app| {
        let old = publisher(app, 1, 7);
        let with = |client: Uuid| format!("&client_uuid={client}");
        for round in 0..20_u128 {
            let client = Uuid::from_u128(0x8888_8888_8888_4888_8888_0000_0000_0000 + round);
            let (one, other) = (format!("one_{round}"), format!("other_{round}"));
            assert_eq!(publish(&old, &one, "1.0.0", &with(client)).await.status, 201);
            let with = with(client);
            let (given, published) = join(hand_over(&old, &one, 2, 9), publish(&old, &other, "1.0.0", &with)).await;
            assert!(matches!((given.status, published.status), (200, 409) | (409, 201)), "{given:?} {published:?}");
            assert_eq!(strays(app).await, 0);
        }
    });
}

#[test]
fn handing_over_and_publishing_wait_for_each_other() {
    test(async |app| {
        let (old, new) = (publisher(app, 1, 7), publisher(app, 2, 9));
        let with = format!("&client_uuid={CLIENT}");
        assert_eq!(publish(&old, "given", "1", &with).await.status, 201);
        for round in 1..10 {
            let version = format!("{round}.1");
            let (given, published) =
                join(hand_over(&old, "given", 2, 9), publish(&old, "given", &version, &with)).await;
            assert_eq!(given.status, 200, "{given:?}");
            assert!(matches!(published.status, 201 | 409), "{published:?}");
            assert_eq!((hand_over(&new, "given", 1, 7).await.status, strays(app).await), (200, 0));
        }
    });
}
