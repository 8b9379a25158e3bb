//! `serve --demo`: publishes the sample widgets and says how to try the service.

use std::io::Cursor;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use include_dir::{Dir, File, include_dir};

use crate::app::App;
use crate::archive::{self, Report};
use crate::audit::Actor;
use crate::auth::{AccountId, Caller, Issue, Role, Scope, Scopes, UserId};
use crate::catalogue::publish::{Accepted, PublishError, Request, publish};
use crate::catalogue::{Owner, Visibility};
use crate::continuations::opening::Opening;
use crate::continuations::{Bot, BotType, store};
use crate::installs;
use crate::sources::{Clock, Identifiers};

static SAMPLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/examples/widgets");

/// The widget whose bot is made to wait.
const BOT_WIDGET: &str = "demo_bot_step";
/// How long the printed tokens live.
const LIFETIME: Duration = Duration::from_hours(24);
/// How long the waiting bot of the last command waits, in seconds.
const WAITING: i64 = 24 * 60 * 60;

/// Publishes the samples, lets a bot wait, and returns what to print.
pub(super) async fn prepare(app: &App) -> anyhow::Result<String> {
    let account = AccountId::new(1).context("1 is an account")?;
    let admin = UserId::new(7).context("7 is a user")?;
    let user = UserId::new(8).context("8 is a user")?;
    let owner = Owner { account, user: admin };
    for folder in SAMPLES.dirs() {
        publish_sample(app, folder, owner).await.with_context(|| folder.path().display().to_string())?;
    }
    let scopes = vec![Scope::Publish, Scope::PublishPublic, Scope::Bots];
    let admin_token =
        issue(app, &Issue { account, user: admin, role: Role::Admin, client: None, scopes, lifetime: LIFETIME })?;
    let user_token =
        issue(app, &Issue { account, user, role: Role::User, client: None, scopes: Vec::new(), lifetime: LIFETIME })?;
    let caller =
        Caller { account, user: admin, role: Role::Admin, client: None, scopes: Scopes::from_iter([Scope::Bots]) };
    let url = format!("http://{}", app.address);
    let continue_path = wait(app, &caller).await?;
    Ok(instructions(&url, &admin_token, &user_token, &continue_path))
}

async fn publish_sample(app: &App, folder: &Dir<'_>, owner: Owner) -> anyhow::Result<()> {
    let name = folder.path().file_name().and_then(|name| name.to_str()).context("a sample's folder has no name")?;
    let mut files = Vec::new();
    collect(folder, name, &mut files)?;
    let packed = archive::pack(&files)?;
    let (source, limits) = (Cursor::new(packed), &app.shared.config.limits.archive);
    let Report { findings, package } = archive::inspect(source.clone(), limits)?;
    let Some(package) = package else { bail!("the sample is refused: {findings:?}") };
    let request = Request {
        code: Some(name.parse().map_err(|error| anyhow!("{error}"))?),
        visibility: Some(Visibility::Public),
        ..Request::default()
    };
    let accepted = Accepted { source, limits, package: &package, warnings: &findings };
    let (pool, writes) = (&app.shared.pool, &app.shared.catalogue_writes);
    match publish(pool, writes, owner, &request, accepted, &Actor::command_line()).await {
        Ok(_) => Ok(()),
        // An earlier version of this program packed the same sample differently; what is there is as good.
        Err(PublishError::OtherBytes(_) | PublishError::ForeignCode(_)) => {
            tracing::warn!(
                sample = name,
                "another widget or other content is published under the sample's code; left as it is"
            );
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// The files of a sample, with paths from its own folder.
fn collect(folder: &Dir<'_>, sample: &str, files: &mut Vec<(String, Vec<u8>)>) -> anyhow::Result<()> {
    let relative = |file: &File<'_>| -> anyhow::Result<String> {
        let path = file.path().strip_prefix(sample)?;
        Ok(path.to_str().context("a sample's file has no readable name")?.to_owned())
    };
    for file in folder.files() {
        files.push((relative(file)?, file.contents().to_vec()));
    }
    folder.dirs().try_for_each(|inner| collect(inner, sample, files))
}

fn issue(app: &App, issue: &Issue) -> anyhow::Result<String> {
    let issuer = &app.shared.config.issuer;
    Ok(app.shared.keyring.keys().signing.issue(issuer, issue, &Clock::system(), &Identifiers::random())?)
}

/// Lets a bot wait for a sample, so that there is something to continue; returns the path.
async fn wait(app: &App, caller: &Caller) -> anyhow::Result<String> {
    let pool = &app.shared.pool;
    let code = BOT_WIDGET.parse().map_err(|error| anyhow!("{error}"))?;
    let seen = installs::store::visible(pool, caller, &code).await?;
    let seen = seen.context("the sample for bots is not there")?;
    let bot = Bot { kind: BotType::Salesbot, id: 77 };
    let opening = Opening {
        account_id: None,
        widget_code: Some(code),
        entity_type: "leads".to_owned(),
        entity_id: 5,
        timeout_seconds: WAITING,
        reference: None,
        callback_url: None,
        request: None,
    };
    let opened = store::open(pool, caller.account, bot, seen.widget.id, &opening, None).await?;
    let (id, _) = opened.context("a record without a reference is always opened")?;
    Ok(format!("/api/v4/salesbot/77/continue/{id}"))
}

fn instructions(url: &str, admin: &str, user: &str, continue_path: &str) -> String {
    let settings =
        r#"{"login":"example","password":"eXaMp1E","phones":{"504141":"1039"},"script_path":"https://example.com/"}"#;
    format!(
        "\n# Tokens of account 1, good for 24 hours: user 7 is an administrator, user 8 is not.\n\
         export ADMIN={admin}\n\
         export USER_TOKEN={user}\n\n\
         # One command for each method: list, read, install, uninstall, continue a waiting bot.\n\
         curl -H \"Authorization: Bearer $USER_TOKEN\" '{url}/api/v4/widgets?limit=2&page=1'\n\
         curl -H \"Authorization: Bearer $USER_TOKEN\" {url}/api/v4/widgets/demo_telephony\n\
         curl -H \"Authorization: Bearer $ADMIN\" -H 'Content-Type: application/json' -d '{settings}' {url}/api/v4/widgets/demo_telephony\n\
         curl -i -H \"Authorization: Bearer $ADMIN\" -X DELETE {url}/api/v4/widgets/demo_telephony\n\
         curl -i -H \"Authorization: Bearer $ADMIN\" -H 'Content-Type: application/json' -d '{{\"data\":{{\"status\":\"success\"}}}}' {url}{continue_path}\n"
    )
}
