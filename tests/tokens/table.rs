//! A table of refused tokens: the same 401, byte for byte, for every row.

use super::Signer;
use crate::support::{Answer, Raw, Setup, TestApp, test_with};

/// Names and values of `Authorization`.
pub type Rows = Vec<(String, Vec<u8>)>;

/// The keys of the service: its own, and one of each kind.
pub struct Keys {
    pub own: Signer,
    pub hs: Signer,
    pub rs: Signer,
    pub es: Signer,
    pub stranger: Signer,
}

/// A row with `Bearer` and this token.
pub fn bearer(rows: &mut Rows, name: impl Into<String>, token: impl AsRef<str>) {
    rows.push((name.into(), format!("Bearer {}", token.as_ref()).into_bytes()));
}

async fn ask(app: &TestApp, authorization: &[u8]) -> Answer {
    app.ask(&Raw::get("/api/v4/widgets").header("Authorization", authorization)).await
}

/// Sends every row of a table; all are refused alike.
pub fn all_alike(least: usize, table: impl FnOnce(&TestApp, &Keys) -> Rows) {
    let dir = tempfile::tempdir().unwrap();
    let (hs, rs, es) = (Signer::hs256("hs"), Signer::rs256("rs"), Signer::es256("es"));
    let sources = [&hs, &rs, &es].map(|signer| signer.configure(dir.path())).join("; ");
    test_with(Setup::default().set("verification_keys", sources), async |app| {
        let keys = Keys { own: Signer::of(app), hs, rs, es, stranger: Signer::ed25519("stranger") };
        // What the rows are made from is accepted.
        for signer in [&keys.own, &keys.hs, &keys.rs, &keys.es] {
            let answer = ask(app, format!("Bearer {}", signer.token(app).sign()).as_bytes()).await;
            assert_eq!(answer.status, 200, "{}: {answer:?}", signer.kid);
        }
        let none = app.ask(&Raw::get("/api/v4/widgets")).await;
        assert_eq!(none.problem(401), "Invalid user name or password");
        let rows = table(app, &keys);
        assert!(rows.len() >= least, "{} rows, {least} are expected", rows.len());
        let mut faults = Vec::new();
        for (name, authorization) in rows {
            let answer = ask(app, &authorization).await;
            let challenge = (answer.header("www-authenticate"), answer.header("content-type"));
            let alike = answer.status == 401 && answer.body == none.body;
            if !alike || challenge != ("Bearer", "application/problem+json") {
                faults.push(format!("{name}: {answer:?}"));
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    });
}
