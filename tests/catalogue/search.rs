//! What is found by words, and by filters.

use serde_json::json;
use url::form_urlencoded::byte_serialize;

use super::{LIST, found};
use crate::support::{Claims, Client, Sample, TestApp, test};

async fn search(caller: &Client, text: &str) -> Vec<String> {
    let text: String = byte_serialize(text.as_bytes()).collect();
    found(caller, &format!("sort=name&q={text}")).await
}

async fn publish(app: &TestApp, code: &str, name: &str, short: &str, long: &str) {
    let mut sample = Sample::plain(code).language("ru", &[]);
    sample.i18n[1].1["widget"] = json!({"name": name, "short_description": short, "description": long});
    app.publish(&sample).await;
}

#[test]
fn words_are_found_in_code_and_texts_of_every_language() {
    test(async |app| {
        publish(app, "amo_asterisk", "Телефония Астериск", "Звонки из CRM", "Умная ёлка-палка: запись, отчёты").await;
        publish(app, "notes", "Заметки", "Записки на полях", "Телеграмма").await;
        let user = app.user();
        for (text, expected) in [
            ("asterisk", vec!["amo_asterisk"]),
            ("ASTER", vec!["amo_asterisk"]),
            ("amo_aster", vec!["amo_asterisk"]),
            ("ТЕЛЕФОНИЯ", vec!["amo_asterisk"]),
            ("теле", vec!["amo_asterisk", "notes"]),
            ("звонки теле", vec!["amo_asterisk"]),
            ("теле звонки", vec![]),
            ("зап", vec!["amo_asterisk", "notes"]),
            ("Елка", vec!["amo_asterisk"]),
            ("отчеты", vec!["amo_asterisk"]),
            ("crm", vec!["amo_asterisk"]),
            ("widget tests", vec!["amo_asterisk", "notes"]),
            ("widget.name", vec![]),
            ("нет", vec![]),
            ("  ", vec!["amo_asterisk", "notes"]),
        ] {
            assert_eq!(search(&user, text).await, expected, "{text}");
        }
    });
}

#[test]
fn no_text_breaks_a_search() {
    test(async |app| {
        publish(app, "notes", "Заметки", "O'Reilly & Sons", r"back\slash").await;
        let user = app.user();
        for (text, count) in [
            ("o'reilly", 1),
            ("reilly & sons", 1),
            (r"back\slash", 1),
            ("reilly | nothing", 0),
            ("!sons", 1),
            ("sons:*", 1),
            ("'sons':A <-> \"reilly", 1),
            ("' & ':public", 0),
            (":dp=false", 0),
            ("'", 0),
            ("%_%", 0),
            ("\\", 0),
            ("((((((", 0),
            ("\0", 0),
            ("notes\0", 1),
            ("\u{feff}\u{202e}\u{301}", 0),
            ("\u{fdfa}\u{fdfa}", 0),
            ("🦜", 0),
        ] {
            assert_eq!(search(&user, text).await.len(), count, "{text:?}");
        }
        for length in [1, 63, 64, 65, 199, 200] {
            assert_eq!(search(&user, &"ы".repeat(length)).await.len(), 0, "{length}");
        }
        assert_eq!(search(&user, &"zq ".repeat(66)).await.len(), 0);
        let long: String = byte_serialize("ы".repeat(201).as_bytes()).collect();
        assert!(user.get(&format!("{LIST}?q={long}")).await.problem(400).contains("200 characters"));
        user.get(&format!("{LIST}?q={}", "a".repeat(10_000))).await.problem(414);
        // Bytes that are no text are looked for as the characters that stand for them.
        assert_eq!(found(&user, "q=%ff%fe").await.len(), 0);
    });
}

#[test]
fn filters_narrow_what_is_found() {
    test(async |app| {
        app.publish(&Sample::new("card", "1.0.0", &[("key", "Key", "pass", false)]).location("lcard-1")).await;
        app.publish(&Sample::field("users_lp", false).location("lead_sources")).await;
        app.publish(&Sample::plain("pipeline").location("digital_pipeline").location("ccard-0")).await;
        app.publish_as(&app.admin(), &Sample::plain("secret"), "private").await;
        let other = app.caller(Claims::admin(2, 7).scopes(&["publish", "publish:public"]));
        app.publish_as(&other, &Sample::plain("theirs"), "public").await;
        app.admin().post("/api/v4/widgets/card", "{}").await;
        app.admin().post("/api/v4/widgets/theirs", "{}").await;
        let admin = app.admin();
        let all = ["card", "one_users_lp", "pipeline", "secret", "theirs"];
        for (query, expected) in [
            ("", &all[..]),
            ("visibility=public", &["card", "one_users_lp", "pipeline", "theirs"]),
            ("visibility=private", &["secret"]),
            ("mine=true", &["card", "one_users_lp", "pipeline", "secret"]),
            ("owner=mine", &["card", "one_users_lp", "pipeline", "secret"]),
            ("owner=mine&mine=1", &["card", "one_users_lp", "pipeline", "secret"]),
            ("mine=false", &["theirs"]),
            ("installed=true", &["card", "theirs"]),
            ("installed=false", &["one_users_lp", "pipeline", "secret"]),
            ("installed=true&mine=false", &["theirs"]),
            ("installed=0&visibility=public", &["one_users_lp", "pipeline"]),
            ("location=settings", &all),
            ("location=lcard-1", &["card"]),
            ("location=lcard", &["card"]),
            ("location=lcard-0", &[]),
            ("location=ccard", &["pipeline"]),
            ("location='", &[]),
            ("setting_type=pass", &["card"]),
            ("setting_type=users_lp", &["one_users_lp"]),
            ("setting_type=users", &[]),
            ("lead_source=true", &["one_users_lp"]),
            ("lead_source=false&mine=true", &["card", "pipeline", "secret"]),
            ("dp=true", &["pipeline"]),
            ("dp=false&installed=false", &["one_users_lp", "secret"]),
            ("q=wid&dp=true", &["pipeline"]),
            ("q=card&dp=true", &[]),
        ] {
            assert_eq!(found(&admin, &format!("sort=name&{query}")).await, expected, "{query}");
        }
    });
}
