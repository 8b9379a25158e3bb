//! The rows of the table about the manifest's settings.

use widget_registry::archive::{FindingCode as Code, SettingType};

use super::widget::{MANIFEST, accepted, check_manifest, codes, only, with_settings};

#[test]
fn settings_keep_the_order_of_the_manifest() {
    let manifest = with_settings(
        r#"{"z": {"name": "Z", "type": "users"}, "a": {"name": "A", "type": "users_lp"}, "10": {"name": "T", "type": "custom"},
            "9": {"name": "N", "type": "text"}}"#,
    );
    let package = accepted(check_manifest(manifest), &[]);
    let keys: Vec<_> = package.manifest.settings.iter().map(|setting| setting.key.as_str()).collect();
    assert_eq!(keys, ["z", "a", "10", "9"]);
}

#[test]
fn settings_missing_empty_or_a_list() {
    let missing = MANIFEST.replacen("\"settings\": {", "\"sms\": {", 1);
    assert!(accepted(check_manifest(missing), &[Code::ManifestSettingsMissing]).manifest.settings.is_empty());
    assert!(
        accepted(check_manifest(with_settings("[]")), &[Code::ManifestSettingsEmptyList]).manifest.settings.is_empty()
    );
    accepted(check_manifest(with_settings("{}")), &[]);
    for settings in ["[{\"name\": \"a\", \"type\": \"text\"}]", "null", "1", "\"x\""] {
        let report = check_manifest(with_settings(settings));
        assert!(only(&report, Code::ManifestSettingsNotAnObject).message.contains("an object"), "{settings}");
    }
}

#[test]
fn setting_types_are_exactly_five() {
    for kind in SettingType::ALL {
        let manifest = with_settings(&format!(r#"{{"a": {{"name": "A", "type": "{kind}"}}}}"#));
        assert_eq!(accepted(check_manifest(manifest), &[]).manifest.settings[0].kind, *kind);
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        assert_eq!(kind.as_str().parse(), Ok(*kind));
    }
    for kind in ["checkbox", "select", "radio", "number", "numeric", "Text", "users-lp", ""] {
        let report = check_manifest(with_settings(&format!(r#"{{"my_field": {{"name": "A", "type": "{kind}"}}}}"#)));
        let finding = only(&report, Code::ManifestSettingTypeUnknown);
        assert!(finding.message.contains("`my_field`") && finding.message.contains(&format!("`{kind}`")));
        assert_eq!(finding.place.path.as_deref(), Some("settings.my_field.type"));
        assert_eq!(finding.place.line, Some(8));
    }
    only(&check_manifest(with_settings(r#"{"a": {"name": "A", "type": 1}}"#)), Code::ManifestSettingTypeUnknown);
    only(&check_manifest(with_settings(r#"{"a": {"name": "A"}}"#)), Code::ManifestSettingTypeMissing);
    only(&check_manifest(with_settings(r#"{"a": "text"}"#)), Code::ManifestSettingNotAnObject);
    only(&check_manifest(with_settings(r#"{"": {"name": "A", "type": "text"}}"#)), Code::ManifestSettingKey);
    accepted(check_manifest(with_settings(r#"{"a": {"type": "text"}}"#)), &[Code::ManifestTextMissing]);
}

#[test]
fn several_bad_settings_are_all_reported() {
    let report = check_manifest(with_settings(
        r#"{"a": {"name": "A", "type": "select"}, "b": 1, "c": {"name": {}, "type": "text", "required": "Y"}, "d": {"name": "D"}}"#,
    ));
    assert_eq!(
        codes(&report),
        [
            Code::ManifestSettingTypeUnknown,
            Code::ManifestSettingNotAnObject,
            Code::ManifestTextInvalid,
            Code::ManifestSettingRequired,
            Code::ManifestSettingTypeMissing,
        ]
    );
}

#[test]
fn required_is_a_boolean() {
    for (required, expected) in [("true", true), ("false", false)] {
        let manifest = with_settings(&format!(r#"{{"a": {{"name": "A", "type": "text", "required": {required}}}}}"#));
        assert_eq!(accepted(check_manifest(manifest), &[]).manifest.settings[0].is_required, expected);
    }
    for required in ["\"true\"", "1", "null", "\"Y\""] {
        let manifest = with_settings(&format!(r#"{{"a": {{"name": "A", "type": "text", "required": {required}}}}}"#));
        only(&check_manifest(manifest), Code::ManifestSettingRequired);
    }
}
