//! The rows of the table about locales and texts.

use widget_registry::archive::{FindingCode as Code, LocalizedText, Place};

use super::widget::{EN, RU, accepted, check_files, check_manifest, codes, edited, files_with, files_without, only};

#[test]
fn locales_come_from_the_manifest_or_from_the_files() {
    let missing = edited(", \"locale\": [\"ru\", \"en\"]", "");
    assert_eq!(accepted(check_manifest(missing), &[Code::ManifestLocaleMissing]).manifest.locales, ["en", "ru"]);
    let unusual =
        files_with("manifest.json", edited("[\"ru\", \"en\"]", "[\"ru\", \"en\", \"es_ES\", \"tr\", \"id\"]"));
    let unusual: Vec<_> = unusual
        .into_iter()
        .chain(["es_ES", "tr", "id"].map(|locale| (format!("i18n/{locale}.json"), EN.into())))
        .collect();
    let package = accepted(check_files(&unusual), &[]);
    assert_eq!(package.manifest.locales, ["ru", "en", "es_ES", "tr", "id"]);
    assert_eq!(package.manifest.name.resolve(&["es"], "ru"), "Widget");
    only(&check_manifest(edited("[\"ru\", \"en\"]", "\"ru\"")), Code::ManifestLocaleInvalid).place.line.unwrap();
    only(&check_manifest(edited("[\"ru\", \"en\"]", "[\"ru\", \"en\", \"../x\"]")), Code::ManifestLocaleInvalid);
    accepted(check_manifest(edited("[\"ru\", \"en\"]", "[\"ru\", \"en\", \"ru\"]")), &[Code::ManifestLocaleDuplicate]);
}

#[test]
fn texts_that_are_missing_fall_back() {
    let no_file = accepted(check_files(&files_without("i18n/en.json")), &[Code::I18nMissing]);
    assert_eq!(no_file.manifest.name.resolve(&["en"], "en"), "Виджет");

    let undeclared = check_files(&files_with("i18n/pt.json", EN));
    assert_eq!(undeclared.findings[0].place, Place::entry("i18n/pt.json"));
    assert_eq!(accepted(undeclared, &[Code::I18nUndeclared]).manifest.locales, ["ru", "en"]);

    let without_key = check_files(&files_with("i18n/en.json", EN.replacen("\"name\": \"Widget\", ", "", 1)));
    assert_eq!(without_key.findings[0].place.path.as_deref(), Some("widget.name"));
    assert_eq!(without_key.findings[0].place.entry.as_deref(), Some("i18n/en.json"));
    let package = accepted(without_key, &[Code::I18nMissingKey]);
    assert_eq!(package.manifest.name.resolve(&["en"], "en"), "Виджет");

    let nowhere = accepted(check_manifest(edited("widget.name", "widget.title")), &[Code::I18nMissingKey; 2]);
    assert_eq!(nowhere.manifest.name, LocalizedText::literal("widget.title"));

    let tour = edited("\"locations\"", "\"tour\": {\"tour_description\": \"widget.tour\"}, \"locations\"");
    accepted(check_manifest(tour), &[Code::I18nMissingKey; 2]);
    accepted(check_files(&files_with("i18n/readme-first!.json", "{}")), &[Code::I18nName]);
}

#[test]
fn a_broken_locale_file_does_not_hide_what_is_wrong_with_the_manifest() {
    let mut files = files_with("i18n/ru.json", "{\"widget\": {\"name\": \"Виджет\",}}");
    files.retain(|(name, _)| name != "manifest.json");
    files.push(("manifest.json".into(), edited("1.0.0", "x").into()));
    assert_eq!(codes(&check_files(&files)), [Code::ManifestVersionInvalid, Code::I18nSyntax]);
    only(&check_files(&files_with("i18n/ru.json", "[]")), Code::I18nNotAnObject);
    only(&check_files(&files_with("i18n/ru.json", RU.replacen("Виджет", "a\\u0000", 1))), Code::I18nNul);
}

#[test]
fn names_as_key_literal_or_by_locale() {
    let literal = accepted(check_manifest(edited("widget.name", "My widget")), &[]);
    assert_eq!(literal.manifest.name, LocalizedText::literal("My widget"));
    let by_locale = edited("\"widget.name\"", "{\"en\": \"Mine\", \"ru\": \"Мой\"}");
    let package = accepted(check_manifest(by_locale), &[]);
    assert_eq!(package.manifest.name.texts, [("ru".into(), "Мой".into()), ("en".into(), "Mine".into())]);
    assert_eq!(package.manifest.name.resolve(&["en"], "ru"), "Mine");
    let flat = RU.replacen("{\"widget\"", "{\"widget.title\": \"Плоско\", \"widget\"", 1);
    let mut files = files_with("i18n/ru.json", flat);
    files.retain(|(name, _)| name != "manifest.json");
    files.push(("manifest.json".into(), edited("widget.name", "widget.title").into()));
    let flat = accepted(check_files(&files), &[Code::I18nMissingKey]);
    assert_eq!(flat.manifest.name.resolve(&["ru"], "ru"), "Плоско");
    for name in ["1", "[]", "{}", "null", "{\"ru\": 1}"] {
        only(&check_manifest(edited("\"widget.name\"", name)), Code::ManifestTextInvalid);
    }
    accepted(check_manifest(edited("\"name\": \"widget.name\", ", "")), &[Code::ManifestTextMissing]);
}
