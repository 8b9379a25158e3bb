//! Every row of the table about the manifest.

use widget_registry::archive::{FindingCode as Code, LocalizedText, SettingType};

use super::widget::{
    MANIFEST, RU, accepted, check_files, check_manifest, codes, edited, files_with, only, with_settings,
};

#[test]
fn a_lawful_manifest_is_mapped_to_the_api() {
    let package = accepted(check_manifest(MANIFEST), &[]);
    let manifest = package.manifest;
    assert_eq!(manifest.raw, MANIFEST.as_bytes());
    assert_eq!(manifest.version.as_str(), "1.0.0");
    assert_eq!((manifest.interface_version, manifest.init_once, manifest.installation), (2, false, true));
    assert_eq!(manifest.locales, ["ru", "en"]);
    assert_eq!(manifest.locations, ["settings", "lcard-1"]);
    assert!(!manifest.is_lead_source && !manifest.is_work_with_dp);
    assert_eq!((manifest.code, manifest.dp_webhook_url), (None, None));
    assert_eq!(manifest.short_description.resolve(&[], "ru"), "Кратко");
    let settings: Vec<_> =
        manifest.settings.iter().map(|setting| (setting.key.as_str(), setting.kind, setting.is_required)).collect();
    assert_eq!(settings, [("login", SettingType::Text, true), ("api_key", SettingType::Pass, false)]);
    assert_eq!(
        manifest.settings[0].name,
        LocalizedText {
            fallback: "settings.login".into(),
            texts: vec![("ru".into(), "Логин".into()), ("en".into(), "Login".into())]
        }
    );
}

#[test]
fn locations_and_sections_decide_what_the_widget_works_with() {
    let sources = accepted(check_manifest(edited(r#""settings", "lcard"#, r#""lead_sources", "lcard"#)), &[]);
    assert!(sources.manifest.is_lead_source && !sources.manifest.is_work_with_dp);
    let pipeline = accepted(check_manifest(edited(r#""settings", "lcard"#, r#""digital_pipeline", "lcard"#)), &[]);
    assert!(pipeline.manifest.is_work_with_dp);
    let dp =
        edited(r#""locations""#, r#""dp": {"webhook_url": "https://hooks.site.ru/a", "settings": {}}, "locations""#);
    let section = accepted(check_manifest(dp), &[]).manifest;
    assert!(section.is_work_with_dp);
    assert_eq!(section.dp_webhook_url.as_deref(), Some("https://hooks.site.ru/a"));
}

#[test]
fn a_byte_order_mark_and_carriage_returns_are_kept() {
    let mut bytes = b"\xEF\xBB\xBF".to_vec();
    bytes.extend(MANIFEST.replace('\n', "\r\n").bytes());
    let package = accepted(check_manifest(bytes.clone()), &[Code::ManifestBom]);
    assert_eq!(package.manifest.raw, bytes);
    accepted(check_files(&files_with("i18n/ru.json", format!("\u{feff}{RU}"))), &[Code::I18nBom]);
    only(&check_manifest(b"{\"widget\": \"\xff\"}".as_slice()), Code::ManifestEncoding);
    only(&check_files(&files_with("i18n/ru.json", b"{\"a\": \"\xff\"}".as_slice())), Code::I18nEncoding);
}

#[test]
fn broken_json_is_refused_with_line_and_column() {
    for (from, to, line, column, says) in [
        ("\"1.0.0\",", "\"1.0.0\", // now", 4, 25, "comments"),
        ("\"api_key\": {", "/* old */ \"api_key\": {", 10, 5, "comments"),
        ("\"pass\"}\n", "\"pass\"},\n", 10, 60, "comma before a closing bracket"),
        ("\"lcard-1\"]", "\"lcard-1\",]", 7, 38, "comma before a closing bracket"),
        ("\"locations\":", "locations:", 7, 3, "double quotes"),
        ("},\n  \"locations\"", "}\n  \"locations\"", 7, 3, "comma is missing"),
    ] {
        let report = check_manifest(edited(from, to));
        let finding = only(&report, Code::ManifestSyntax);
        assert_eq!((finding.place.line, finding.place.column), (Some(line), Some(column)), "{to}");
        assert!(finding.message.contains(says), "{}", finding.message);
    }
    only(&check_manifest(""), Code::ManifestSyntax);
    only(&check_manifest(&MANIFEST.as_bytes()[..100]), Code::ManifestSyntax);
    only(
        &check_manifest("[".repeat(100_000).into_bytes().splice(50..50, noise()).collect::<Vec<u8>>()),
        Code::ManifestSyntax,
    );
}

/// Digits that do not compress well, so that the ratio is not what is refused.
fn noise() -> Vec<u8> {
    (1_u32..3_000).flat_map(|n| n.wrapping_mul(2_654_435_761).to_string().into_bytes()).collect()
}

#[test]
fn duplicate_keys() {
    let comments = edited("\"locations\"", "\"_comment\": 1, \"_comment\": 2, \"locations\"");
    let warnings = [Code::ManifestDuplicateKey, Code::ManifestUnknownKey, Code::ManifestUnknownKey];
    accepted(check_manifest(comments), &warnings);
    let version = edited("\"version\"", "\"version\": \"0.9\", \"version\"");
    assert_eq!(accepted(check_manifest(version), &[Code::ManifestDuplicateKey]).manifest.version.as_str(), "1.0.0");
    let login = edited("\"login\": {", "\"login\": {\"type\": \"text\"}, \"login\": {");
    assert!(codes(&check_manifest(login)).contains(&Code::ManifestSettingsDuplicate));
    let inside = edited("\"type\": \"text\"", "\"type\": \"pass\", \"type\": \"text\"");
    let report = check_manifest(inside);
    let finding = only(&report, Code::ManifestSettingsDuplicate);
    assert_eq!(finding.place.path.as_deref(), Some("settings.login.type"));
    let ru = RU.replacen("{\"widget\": {", "{\"widget\": {\"name\": \"x\", ", 1);
    accepted(check_files(&files_with("i18n/ru.json", ru)), &[Code::I18nDuplicateKey]);
}

#[test]
fn unknown_keys_are_ignored() {
    let top = edited("\"locations\"", "\"_comment\": \"x\", \"permissions\": [], \"locations\"");
    accepted(check_manifest(top), &[Code::ManifestUnknownKey; 2]);
    let inner = edited("\"version\"", "\"_note\": 1, \"author\": \"x\", \"version\"");
    accepted(check_manifest(inner), &[Code::ManifestUnknownKey; 2]);
    let setting = accepted(
        check_manifest(edited("\"login\": {", "\"_old\": {\"type\": 1}, \"login\": {")),
        &[Code::ManifestUnknownKey],
    );
    assert_eq!(setting.manifest.settings.len(), 2);
    let sections = edited(
        "\"locations\"",
        "\"salesbot_designer\": {}, \"tour\": {}, \"advanced\": {}, \"left_menu\": {}, \"mobile\": {}, \"sms\": {}, \"locations\"",
    );
    accepted(check_manifest(sections), &[]);
}

#[test]
fn other_manifests_are_told_apart() {
    for (manifest, says) in [
        ("{\"manifest_version\": 3, \"name\": \"x\"}", "browser extension"),
        ("{\"name\": \"x\"}", "without the section `widget`"),
        ("[]", "an array"),
        ("{\"widget\": []}", "an array"),
        ("{\"widget\": {}, \"manifest_version\": 2}", "browser extension"),
    ] {
        let report = check_manifest(manifest);
        assert!(only(&report, Code::ManifestNotAWidget).message.contains(says), "{manifest}");
    }
}

#[test]
fn misplaced_sections_are_sent_to_their_place() {
    for section in ["locations", "settings", "salesbot_designer"] {
        let report = check_manifest(edited("\"version\"", &format!("\"{section}\": {{}}, \"version\"")));
        let finding = only(&report, Code::ManifestMisplaced);
        assert!(finding.message.contains("top level"), "{}", finding.message);
        assert_eq!(finding.place.path.as_deref(), Some(format!("widget.{section}").as_str()));
    }
}

#[test]
fn versions() {
    for version in ["1.0.0", "0.95", "7", "1.2.00", "1.2.3.4"] {
        let package = accepted(check_manifest(edited("1.0.0", version)), &[]);
        assert_eq!(package.manifest.version.as_str(), version);
    }
    for (version, says) in [
        ("1.1.", "no number on one side"),
        ("%WidgetVersion%", "other characters"),
        ("aero-control.1.1", "other characters"),
        ("", "empty"),
        ("1.2.3.4.5", "more than four"),
        ("1.0.0-beta", "other characters"),
    ] {
        let report = check_manifest(edited("1.0.0", version));
        assert!(only(&report, Code::ManifestVersionInvalid).message.contains(says), "{version}");
    }
    only(&check_manifest(edited("\"1.0.0\"", "1.0")), Code::ManifestVersionInvalid);
    only(&check_manifest(edited("\"version\": \"1.0.0\",", "")), Code::ManifestVersionMissing);
}

#[test]
fn interface_versions() {
    for (given, expected) in [("1", 1), ("4", 4), ("-1", -1)] {
        let package = accepted(
            check_manifest(edited("\"interface_version\": 2", &format!("\"interface_version\": {given}"))),
            &[],
        );
        assert_eq!(package.manifest.interface_version, expected);
    }
    let missing = accepted(check_manifest(edited("\"interface_version\": 2,", "")), &[Code::ManifestInterfaceMissing]);
    assert_eq!(missing.manifest.interface_version, 2);
    for given in ["\"2\"", "2.5", "1e1", "99999999999999999999", "null"] {
        let manifest = edited("\"interface_version\": 2", &format!("\"interface_version\": {given}"));
        only(&check_manifest(manifest), Code::ManifestInterfaceInvalid);
    }
}

#[test]
fn flags() {
    let yes =
        accepted(check_manifest(edited("\"init_once\": false", "\"init_once\": \"Y\"")), &[Code::ManifestFlagText]);
    assert!(yes.manifest.init_once);
    assert!(!accepted(check_manifest(edited("\"init_once\": false,", "")), &[]).manifest.init_once);
    assert!(accepted(check_manifest(edited("\"installation\": true,", "")), &[]).manifest.installation);
    let no = accepted(check_manifest(edited("\"installation\": true", "\"installation\": false")), &[]);
    assert!(!no.manifest.installation);
    only(&check_manifest(edited("\"init_once\": false", "\"init_once\": \"no\"")), Code::ManifestFlagInvalid);
    only(&check_manifest(edited("\"installation\": true", "\"installation\": 1")), Code::ManifestFlagInvalid);
}

#[test]
fn locations() {
    let with = |locations: &str| check_manifest(edited("[\"settings\", \"lcard-1\"]", locations));
    let missing = MANIFEST.replacen("\"locations\"", "\"mobile\"", 1);
    assert!(accepted(check_manifest(missing), &[Code::ManifestLocationsMissing]).manifest.locations.is_empty());
    accepted(with("[]"), &[Code::ManifestLocationsMissing]);
    let unknown = accepted(with("[\"anywhere\", \"settings\"]"), &[Code::ManifestLocationUnknown]);
    assert_eq!(unknown.manifest.locations, ["anywhere", "settings"]);
    let twice = accepted(with("[\"settings\", \"lcard-1\", \"settings\"]"), &[Code::ManifestLocationDuplicate]);
    assert_eq!(twice.manifest.locations, ["settings", "lcard-1"]);
    let both = accepted(with("[\"lcard-0\", \"lcard-1\"]"), &[Code::ManifestLocationBoth]);
    assert_eq!(both.manifest.locations, ["lcard-0", "lcard-1"]);
    for locations in ["\"settings\"", "{}", "[1]", "[[\"settings\"]]", "null"] {
        only(&with(locations), Code::ManifestLocationsInvalid);
    }
}

#[test]
fn a_secret_key_is_never_shown_or_kept() {
    let manifest = edited("\"version\"", "\"secret_key\": \"s3cr3t\\u0041\", \"version\"");
    let package = accepted(check_manifest(manifest.clone()), &[Code::ManifestSecretKey]);
    assert!(package.manifest.has_secret());
    assert_eq!(package.manifest.raw, manifest.as_bytes());
    let redacted = String::from_utf8(package.manifest.redacted()).unwrap();
    assert_eq!(redacted, manifest.replace("\"s3cr3t\\u0041\"", "\"\""));
    assert!(!format!("{package:?}").contains("s3cr3t"));
    assert!(!package.files.iter().find(|file| file.path == "manifest.json").unwrap().served);

    // Broken in many ways at once, with a byte order mark: still no finding repeats it.
    let broken = manifest
        .replace("1.0.0", "x")
        .replace("\"text\"", "\"select\"")
        .replace("\"init_once\": false", "\"secret_key\": [\"s3cr3t\"]");
    let report = check_manifest(format!("\u{feff}{broken}"));
    assert!(!serde_json::to_string(&report.findings).unwrap().contains("s3cr3t"));
    for cut in 0..manifest.len() {
        let report = check_manifest(&manifest.as_bytes()[..cut]);
        assert!(!serde_json::to_string(&report.findings).unwrap().contains("s3cr3t"));
    }

    let clean = accepted(check_manifest(edited("\"version\"", "\"secret_key\": \"\", \"version\"")), &[]);
    assert!(!clean.manifest.has_secret());
    let setting = with_settings(r#"{"secret_key": {"name": "Key", "type": "pass"}}"#);
    let setting = accepted(check_manifest(setting.clone()), &[]).manifest;
    assert_eq!(setting.redacted(), setting.raw);
}

#[test]
fn a_secret_key_behind_a_byte_order_mark_is_blanked_in_place() {
    let manifest = edited("\"version\"", "\"secret_key\": \"abc\", \"version\"");
    let package =
        accepted(check_manifest(format!("\u{feff}{manifest}")), &[Code::ManifestBom, Code::ManifestSecretKey]);
    let redacted = String::from_utf8(package.manifest.redacted()).unwrap();
    assert_eq!(redacted, format!("\u{feff}{}", manifest.replace("\"abc\"", "\"\"")));
}

#[test]
fn webhooks() {
    let with = |url: &str| {
        check_manifest(edited("\"locations\"", &format!("\"dp\": {{\"webhook_url\": {url}}}, \"locations\"")))
    };
    for url in [
        "\"https://example.com/hook\"",
        "\"http://localhost:3000\"",
        "\"http://127.0.0.1/\"",
        "\"https://a.example.com\"",
    ] {
        accepted(with(url), &[Code::ManifestWebhookPlaceholder]);
    }
    for url in ["\"\"", "\"ftp://a.ru\"", "\"hook\""] {
        assert_eq!(accepted(with(url), &[Code::ManifestWebhookAddress]).manifest.dp_webhook_url, None);
    }
    only(&with("1"), Code::ManifestDp);
    only(&check_manifest(edited("\"locations\"", "\"dp\": 1, \"locations\"")), Code::ManifestDp);
}

#[test]
fn the_code_is_only_a_default() {
    let code = |code: &str| check_manifest(edited("\"version\"", &format!("\"code\": {code}, \"version\"")));
    assert_eq!(accepted(code("\"my_widget\""), &[]).manifest.code.unwrap().as_str(), "my_widget");
    for bad in ["\"My Widget\"", "\"\"", "1"] {
        assert_eq!(accepted(code(bad), &[Code::ManifestCode]).manifest.code, None);
    }
}

#[test]
fn nul_is_refused_in_every_text_and_key() {
    for (from, to) in [("widget.name", "a\\u0000"), ("\"lcard-1\"", "\"lcard-1\", \"a\\u0000\""), ("help@", "\\u0000@")]
    {
        assert!(codes(&check_manifest(edited(from, to))).contains(&Code::ManifestNul), "{to}");
    }
    let key = check_manifest(edited("\"login\"", "\"lo\\u0000gin\""));
    assert_eq!(codes(&key), [Code::ManifestNul, Code::ManifestSettingKey]);
}
