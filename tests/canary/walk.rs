//! Every way that a secret takes through the service, and every error beside one.

use std::cell::RefCell;

use serde_json::{Value, json};
use uuid::Uuid;

use super::errors;
use super::world::{Place, Shows, World};
use crate::program::server::Server;
use crate::support::{Answer, Claims, Client, Engine, Sample};
use crate::tokens::signers::base64;

/// The answer to a request that went well, given to the search but for its body when that shows a secret.
pub async fn ask(world: &World, client: &Client, method: &str, path: &str, body: &str, shows: Shows) -> Answer {
    let mut request = client.request(method, path);
    if !body.is_empty() {
        request = request.header("content-type", "application/json").body(body.to_owned());
    }
    let answer = client.send(request).await;
    assert!(answer.status < 300, "{method} {path}: {answer:?}");
    world.see(None, &answer, shows);
    answer
}

/// One integration with its widget, and who uses it.
pub struct Walk<'a> {
    pub world: &'a World,
    pub server: &'a Server,
    pub code: String,
    pub client: Uuid,
    pub secret: String,
    /// An administrator through the integration, who sees its secrets.
    pub admin: Client,
    /// The same without it.
    pub person: Client,
    /// Requests that were answered otherwise than by a client's error, which they should have been.
    pub taken: RefCell<Vec<String>>,
}

impl<'a> Walk<'a> {
    /// Makes the integration and publishes the widget.
    pub async fn begin(world: &'a World, server: &'a Server, round: usize) -> Self {
        let client = Uuid::new_v4();
        let code = format!("{}_{round}", world.open);
        let scopes = ["publish", "publish:public", "bots"];
        let claims = Claims::admin(world.account, 7).client(client);
        let admin = world.caller(server, &claims.scopes(&scopes));
        let person = world.caller(server, &Claims::admin(world.account, 7).scopes(&scopes));
        let body = json!({"name": format!("Of {}", world.open), "client_uuid": client}).to_string();
        let made = ask(world, &admin, "POST", "/registry/v1/integrations", &body, Shows::Secret).await;
        let secret = made.json()["secret"].as_str().unwrap().to_owned();
        world.secrets.made("integration secret", &secret);
        let settings = [
            (world.name.as_str(), "Open", "text", true),
            ("password", "Password", "pass", true),
            ("logins", "Logins", "users_lp", false),
        ];
        let archive = Sample::new(&code, "1.0.0", &settings).zip();
        let path = format!("/registry/v1/widgets?code={code}&visibility=public&client_uuid={client}");
        let published = admin.post_bytes(&path, "application/zip", archive).await;
        assert_eq!(published.status, 201, "{published:?}");
        world.see(None, &published, Shows::Nothing);
        Self { world, server, code, client, secret, admin, person, taken: RefCell::default() }
    }

    pub async fn get(&self, path: &str) -> Value {
        let answer = ask(self.world, &self.person, "GET", path, "", Shows::Nothing).await;
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    /// Settings with secrets of their own, in characters that each writer writes in another way.
    pub fn settings(&self) -> String {
        let word = |name: &str| self.world.secrets.word(name);
        let (pass, login, password) = (word("pass"), word("login of users_lp"), word("password of users_lp"));
        let whole = format!("é\"\\/{pass}&+%=\t<'");
        self.world.secrets.note("pass", &whole);
        let password = format!(r#""\u0070ass\/{password}""#);
        let (key, name) = (&self.world.name, &self.world.open);
        let (whole, login) = (json!(whole), json!(login));
        format!(r#"{{"{key}":"{name}","password":{whole},"logins":{{"7":{{"login":{login},"password":{password}}}}}}}"#)
    }

    pub fn widget(&self) -> String {
        format!("/api/v4/widgets/{}", self.code)
    }

    /// Installs, shows to its own integration and to others, installs anew, plans, takes away, and installs again.
    pub async fn install(&self) {
        let (world, admin, widget) = (self.world, &self.admin, self.widget());
        for _ in 0..2 {
            let settings = self.settings();
            let answer = ask(world, admin, "POST", &widget, &settings, Shows::Secret).await;
            let shown = answer.json();
            assert_eq!(shown["settings"], serde_json::from_str::<Value>(&settings).unwrap());
        }
        ask(world, admin, "GET", &widget, "", Shows::Secret).await;
        ask(world, admin, "GET", "/api/v4/widgets?limit=250", "", Shows::Secret).await;
        let others = world.caller(self.server, &Claims::admin(world.account, 7));
        let user = world.caller(self.server, &Claims::user(world.account, 8));
        for reader in [&others, &user] {
            ask(world, reader, "GET", &widget, "", Shows::Nothing).await;
            ask(world, reader, "GET", "/api/v4/widgets?limit=250", "", Shows::Nothing).await;
        }
        self.get("/registry/v1/installs").await;
        let plan = format!("/registry/v1/widgets/{}/plan?version=1.1.0", self.code);
        let settings = [("password", "Password", "text", true), ("other", "Other", "pass", true)];
        let next = Sample::new(&self.code, "1.1.0", &settings).zip();
        let answer = admin.post_bytes(&plan, "application/zip", next).await;
        world.see(None, &answer, Shows::Nothing);
        let answer = admin.delete(&widget).await;
        assert_eq!(answer.status, 204, "{answer:?}");
        world.see(None, &answer, Shows::Nothing);
        ask(world, admin, "POST", &widget, &self.settings(), Shows::Secret).await;
    }

    /// Calls the widget with a token that its secret signed, and pushes the event with a signature.
    pub async fn continuations(&self) {
        let (world, admin) = (self.world, &self.admin);
        for _ in 0..2 {
            let answer = ask(world, admin, "POST", "/registry/v1/webhook-secret", "", Shows::Secret).await;
            world.secrets.made("webhook secret", answer.json()["secret"].as_str().unwrap());
        }
        self.get("/registry/v1/webhook-secret").await;
        let (mut engine, mut widget) = (Engine::answering(204).await, Engine::answering(200).await);
        let hook = format!("{}/hook", engine.url);
        let waiting = |request: Option<&str>| {
            json!({"widget_code": self.code, "entity": {"type": "leads", "id": 5}, "callback_url": hook,
                   "request": request.map(|url| json!({"url": url, "encoding": "json"}))})
        };
        let path = format!("/registry/v1/salesbot/{}/continuations", world.account);
        let body = waiting(Some(&widget.url)).to_string();
        let opened = ask(world, admin, "POST", &path, &body, Shows::Nothing).await.json();
        let heard = widget.next().await;
        world.secrets.token("token for a widget", heard.json()["token"].as_str().unwrap());
        let id = opened["continue_id"].as_i64().unwrap();
        let proceed = format!("/api/v4/salesbot/{}/continue/{id}", world.account);
        ask(world, admin, "POST", &proceed, r#"{"data":{"status":"ok"}}"#, Shows::Nothing).await;
        let pushed = engine.next().await;
        assert!(pushed.header("webhook-signature").starts_with("v1,"), "{pushed:?}");
        self.get(&format!("/registry/v1/continuations/{id}")).await;
        self.get("/registry/v1/deliveries").await;
        let mut body = waiting(None);
        body.as_object_mut().unwrap().remove("request");
        ask(world, admin, "POST", &path, &body.to_string(), Shows::Nothing).await;
        self.metrics().await;
    }

    /// The numbers, until they tell of the bot that waits.
    async fn metrics(&self) {
        loop {
            let answer = self.admin.get("/metrics").await;
            assert_eq!(answer.status, 200, "{answer:?}");
            if answer.text().contains(&self.world.account.to_string()) {
                self.world.see(Some(Place::Metrics), &answer, Shows::Nothing);
                return;
            }
        }
    }

    pub async fn oauth(&self, form: &[(&str, &str)]) -> Answer {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.append_pair("client_id", &self.client.to_string()).extend_pairs(form);
        let path = "/oauth2/access_token";
        self.admin.post_bytes(path, "application/x-www-form-urlencoded", body.finish().into_bytes()).await
    }

    /// The tokens of an answer, noted: access and refresh.
    fn given(&self, answer: &Answer) -> (String, String) {
        assert_eq!(answer.status, 200, "{answer:?}");
        self.world.see(None, answer, Shows::Secret);
        let text = |name: &str| answer.json()[name].as_str().unwrap().to_owned();
        let (access, refresh) = (text("access_token"), text("refresh_token"));
        self.world.secrets.token("access token of an integration", &access);
        self.world.secrets.refresh_token(&refresh);
        (access, refresh)
    }

    /// Both grants, a refresh token that is used twice, and revocations.
    pub async fn tokens(&self) {
        let account = self.world.account.to_string();
        let secret = ("client_secret", self.secret.as_str());
        let grant = [("grant_type", "client_credentials"), secret, ("account_id", &account)];
        let (access, first) = self.given(&self.oauth(&grant).await);
        let bearer = self.server.with_token(&access);
        ask(self.world, &bearer, "GET", &self.widget(), "", Shows::Secret).await;
        let refresh =
            async |token: &str| self.oauth(&[("grant_type", "refresh_token"), secret, ("refresh_token", token)]).await;
        let (_, second) = self.given(&refresh(&first).await);
        self.given(&refresh(&second).await);
        for used in [&first, &second] {
            let refused = refresh(used).await;
            refused.problem(401);
            self.world.see(None, &refused, Shows::Nothing);
        }
        for body in [json!({"user_id": 12}), json!({"jti": Uuid::new_v4()}), json!({"client_uuid": Uuid::new_v4()})] {
            ask(self.world, &self.person, "POST", "/registry/v1/revocations", &body.to_string(), Shows::Nothing).await;
        }
        self.get("/registry/v1/revocations").await;
    }

    /// A second secret, and everything that tells of the integration.
    pub async fn integration(&mut self) {
        let path = format!("/registry/v1/integrations/{}", self.client);
        let secrets = format!("{path}/secrets");
        let answer = ask(self.world, &self.admin, "POST", &secrets, "", Shows::Secret).await;
        let secret = answer.json()["secret"].as_str().unwrap().to_owned();
        self.secret = secret;
        self.world.secrets.made("integration secret", &self.secret);
        let body = json!({"redirect_uri": "https://example.com/back"}).to_string();
        ask(self.world, &self.admin, "PATCH", &path, &body, Shows::Nothing).await;
        self.get(&path).await;
        self.get("/registry/v1/integrations").await;
    }

    /// Tokens of somebody else, whose keys are fetched: one that is taken, one of a key that nobody has.
    pub async fn issuer(&self) {
        let token = self.world.issuer.token(self.world.account);
        self.world.secrets.token("token of another issuer", &token);
        let theirs = self.server.with_token(&token);
        ask(self.world, &theirs, "GET", "/api/v4/widgets", "", Shows::Nothing).await;
        let (_, rest) = token.split_once('.').unwrap();
        let header = base64(br#"{"typ":"JWT","alg":"EdDSA","kid":"nobodys"}"#);
        let forged = self.server.with_token(&format!("{header}.{rest}"));
        let refused = forged.get("/api/v4/widgets").await;
        refused.problem(401);
        self.world.see(None, &refused, Shows::Nothing);
        self.world.hear();
    }

    /// What tells of everything that was done.
    pub async fn look(&self) {
        for path in [
            "/registry/v1/audit",
            "/registry/v1/widgets",
            "/registry/v1/health/ready",
            "/registry/v1/health/live",
            "/.well-known/jwks.json",
        ] {
            self.get(path).await;
        }
        let explain = format!("/registry/v1/widgets/{}/explain", self.code);
        self.get(&explain).await;
    }
}

/// Everything, once.
pub async fn whole<'a>(world: &'a World, server: &'a Server, round: usize) -> Walk<'a> {
    let mut walk = Walk::begin(world, server, round).await;
    walk.issuer().await;
    walk.install().await;
    walk.continuations().await;
    walk.tokens().await;
    walk.integration().await;
    walk.tokens().await;
    errors::provoke(&walk).await;
    walk.look().await;
    assert!(walk.taken.borrow().is_empty(), "{:#?}", walk.taken.borrow());
    walk
}
