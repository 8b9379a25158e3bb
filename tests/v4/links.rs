//! Where the links of answers lead.

use crate::support::{Claims, Sample, Setup, TestApp, test, test_with};

/// Asks over a connection of its own, with this `Host`.
async fn with_host(app: &TestApp, host: &str, path: &str) -> String {
    let token = Claims::user(1, 8).sign(&app.key, app.now());
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n");
    String::from_utf8(app.raw(request.as_bytes()).await).unwrap()
}

#[test]
fn links_lead_where_the_client_called() {
    test(async |app| {
        app.publish(&Sample::plain("a")).await;
        app.publish(&Sample::plain("b")).await;
        for host in ["crm.example", "crm.example:8443", "127.0.0.1:9", "[::1]:8080"] {
            let list = with_host(app, host, "/api/v4/widgets?limit=1").await;
            let next = format!(r#""next":{{"href":"http://{host}/api/v4/widgets?limit=1&page=2"}}"#);
            assert!(list.contains(&next), "{list}");
            assert!(list.contains(&format!(r#""self":{{"href":"http://{host}/api/v4/widgets/a"}}"#)), "{list}");
            let shown = with_host(app, host, "/api/v4/widgets/b").await;
            assert!(shown.contains(&format!(r#""self":{{"href":"http://{host}/api/v4/widgets/b"}}"#)), "{shown}");
            let unknown = with_host(app, host, "/nowhere").await;
            assert!(unknown.contains(&format!(r#""detail":"Cannot GET http://{host}/nowhere""#)), "{unknown}");
        }
    });
}

#[test]
fn links_lead_to_the_public_address_when_there_is_one() {
    test_with(Setup::default().set("public_url", "https://widgets.example:8443"), async |app| {
        app.publish(&Sample::plain("a")).await;
        let origin = "https://widgets.example:8443";
        let list = with_host(app, "crm.example", "/api/v4/widgets").await;
        assert!(list.contains(&format!(r#""href":"{origin}/api/v4/widgets?limit=50&page=1""#)), "{list}");
        assert!(list.contains(&format!(r#""href":"{origin}/api/v4/widgets/a""#)), "{list}");
        assert!(!list.contains("crm.example"), "{list}");
        let unknown = with_host(app, "crm.example", "/nowhere").await;
        assert!(unknown.contains(&format!("Cannot GET {origin}/nowhere")), "{unknown}");
    });
}
