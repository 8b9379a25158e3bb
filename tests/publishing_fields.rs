//! The fields of a publication, in the query or in a form.

use crate::support::{Claims, Sample, test};

use crate::publishing::{CLIENT, PATH, publish, publisher, rows, send_form};

#[test]
fn all_attributes_come_with_the_query_or_with_a_form() {
    test(async |app| {
        let query = format!("code=by_query&visibility=public&client_uuid={CLIENT}&is_crm_template=true");
        let by_query = publish(&app.admin(), &query, Sample::plain("x").zip()).await;
        let by_form = send_form(
            &app.admin(),
            &[
                (r#"name="code""#, b"by_form"),
                (r#"name="visibility""#, b"public"),
                (r#"name="archive"; filename="widget.zip""#, &Sample::plain("x").zip()),
                (r#"name="client_uuid""#, CLIENT.to_string().as_bytes()),
                (r#"name="is_crm_template""#, b"1"),
            ],
        )
        .await;
        for (code, answer) in [("by_query", by_query), ("by_form", by_form)] {
            assert_eq!(answer.status, 201, "{answer:?}");
            let body = answer.json();
            assert_eq!((&body["code"], &body["visibility"]), (&code.into(), &"public".into()));
            assert_eq!((&body["client_uuid"], &body["is_crm_template"]), (&CLIENT.to_string().into(), &true.into()));
            let shown = app.caller(Claims::user(2, 5)).get(&format!("/api/v4/widgets/{code}")).await.json();
            assert_eq!((&shown["client_uuid"], &shown["is_crm_template"]), (&CLIENT.to_string().into(), &true.into()));
            assert_eq!((&shown["id"], &shown["version"]), (&body["id"], &"1.0.0".into()));
        }
    });
}

#[test]
fn fields_that_are_wrong() {
    test(async |app| {
        let (publisher, archive) = (publisher(app), Sample::plain("x").zip());
        for (query, detail) in [
            (
                "code=Upper",
                "The field `code` is wrong: a widget code begins with a lower-case Latin letter, a digit or an underscore",
            ),
            ("code=", "The field `code` is wrong: a widget code must not be empty"),
            ("code=a&code=a", "The field `code` is given more than once"),
            ("code=a&visibility=hidden", "The field `visibility` is wrong: `hidden` is neither public nor private"),
            ("code=a&is_crm_template=yes", "The field `is_crm_template` is wrong: it is neither true nor false"),
            ("", "neither the request nor the manifest's widget.code names a valid code; give `code`"),
        ] {
            assert_eq!(publish(&publisher, query, archive.clone()).await.problem(400), detail, "{query}");
        }
        for (query, start) in [
            ("code=a&client_uuid=7", "The field `client_uuid` is wrong: "),
            ("code=a&owner=7", "The field `owner` is not known here; known are "),
        ] {
            let detail = publish(&publisher, query, archive.clone()).await.problem(400);
            assert!(detail.starts_with(start), "{detail}");
        }
        let (code, zip) = ((r#"name="code""#, &b"a"[..]), (r#"name="archive"; filename="a.zip""#, &archive[..]));
        assert_eq!(
            send_form(&publisher, &[code]).await.problem(400),
            "The form has no field `archive`; it holds the zip"
        );
        assert_eq!(
            send_form(&publisher, &[code, zip, zip]).await.problem(400),
            "The field `archive` is given more than once"
        );
        assert_eq!(
            send_form(&publisher, &[code, code, zip]).await.problem(400),
            "The field `code` is given more than once"
        );
        for media_type in ["application/json", "text/plain"] {
            let refused = publisher.post_bytes(&format!("{PATH}?code=a"), media_type, archive.clone()).await;
            let takes = "The body must be sent as application/zip, or as multipart/form-data with the archive in the field `archive`";
            assert_eq!(refused.problem(415), takes);
        }
        assert_eq!(rows(app).await, (0, 0, 0));
    });
}
