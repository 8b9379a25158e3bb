//! `validate`: everything that publishing would say, without a server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::server::{folder, program};
use crate::support::record::Run as _;
use crate::support::{Sample, secret};

/// Runs in a folder, so that paths in the output are short.
fn validate(home: &Path, arguments: &[&str]) -> Output {
    program().current_dir(home).arg("validate").args(arguments).run()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn write(home: &TempDir, name: &str, files: &[(String, Vec<u8>)]) -> PathBuf {
    let widget = home.path().join(name);
    for (path, bytes) in files {
        let path = widget.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    widget
}

/// A good widget's manifest without images, and one with two errors, a warning and a secret key.
fn broken() -> Vec<(String, Vec<u8>)> {
    let manifest = r#"{
  "widget": {
    "name": "My widget",
    "description": "A widget",
    "short_description": "Short",
    "secret_key": "s3cr3t",
    "version": "v1",
    "interface_version": 2,
    "locale": ["en"]
  },
  "locations": ["settings"],
  "settings": {"colour": {"name": "Colour", "type": "select"}}
}
"#;
    let mut files = Sample::plain("x").files();
    files[0].1 = manifest.replace("s3cr3t", &secret("s3cr3t")).into_bytes();
    files
}

const BROKEN: &str = r#"error[manifest.version.invalid]: `v1` is not a version: it has other characters than digits and dots; write one to four numbers with dots between, such as "1.0.0".
 --> PATH: manifest.json:7:16 (widget.version)
  |
7 |     "version": "v1",
  |                ^
error[manifest.settings.unknown-type]: The setting `colour` has the type `select`; a setting's type is one of text, pass, custom, users and users_lp.
  --> PATH: manifest.json:12:53 (settings.colour.type)
   |
12 |   "settings": {"colour": {"name": "Colour", "type": "select"}}
   |                                                     ^
warning[manifest.secret-key]: The manifest holds the integration's secret key, which is not stored; remove it from the archive and replace the key.
 --> PATH: manifest.json:6:5 (widget.secret_key)
PATH: 2 errors, 1 warning
"#;

#[test]
fn a_good_widget_is_accepted_as_a_folder_and_as_a_zip() {
    let home = folder();
    let sample = Sample::telephony();
    write(&home, "my_widget", &sample.files());
    fs::write(home.path().join("other-widget.zip"), sample.zip()).unwrap();
    let output = validate(home.path(), &["my_widget", "other-widget.zip"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(stdout(&output), "my_widget: no errors, no warnings\nother-widget.zip: no errors, no warnings\n");
    let output = validate(home.path(), &["--format", "json", "my_widget", "other-widget.zip"]);
    assert!(output.status.success(), "{output:?}");
    let verdict = |path: &str, code: &str| json!({"path": path, "accepted": true, "version": "1.1.6", "code": code, "findings": []});
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed, json!([verdict("my_widget", "my_widget"), verdict("other-widget.zip", "other-widget")]));
}

#[test]
fn every_finding_is_printed_with_its_line_but_none_of_a_secret_key() {
    let home = folder();
    write(&home, "bad", &broken());
    fs::write(home.path().join("bad.zip"), widget_registry::archive::pack(&broken()).unwrap()).unwrap();
    for path in ["bad", "bad.zip"] {
        let output = validate(home.path(), &[path]);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(stdout(&output), BROKEN.replace("PATH", path));
        assert!(output.stderr.is_empty(), "{output:?}");
    }
    let output = validate(home.path(), &["--format", "json", "bad"]);
    assert_eq!(output.status.code(), Some(1));
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let verdict = &printed[0];
    assert_eq!(
        (&verdict["accepted"], &verdict["version"], &verdict["code"]),
        (&json!(false), &Value::Null, &Value::Null)
    );
    let codes: Vec<_> = verdict["findings"].as_array().unwrap().iter().map(|finding| &finding["code"]).collect();
    assert_eq!(codes, ["manifest.version.invalid", "manifest.settings.unknown-type", "manifest.secret-key"]);
    assert_eq!(
        verdict["findings"][0]["place"],
        json!({"entry": "manifest.json", "path": "widget.version", "line": 7, "column": 16})
    );
    assert!(!stdout(&output).contains("s3cr3t"));
}

#[test]
fn what_is_no_archive_or_not_there_fails_and_the_others_are_checked() {
    let home = folder();
    fs::write(home.path().join("broken.zip"), "this is no zip").unwrap();
    write(&home, "good", &Sample::plain("x").files());
    let output = validate(home.path(), &["broken.zip", "missing", "good"]);
    assert_eq!(output.status.code(), Some(1));
    let said = stdout(&output);
    let lines: Vec<_> = said.lines().collect();
    assert!(lines[0].starts_with("error[archive.not-a-zip]: "), "{said}");
    assert_eq!(lines[1..], [" --> broken.zip", "broken.zip: 1 error", "good: no errors, no warnings"]);
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.starts_with("missing: cannot read it: "), "{complaint}");
    let output = validate(home.path(), &["--format", "json", "missing"]);
    assert_eq!(output.status.code(), Some(1));
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed, json!([{"path": "missing", "accepted": false, "version": null, "code": null, "findings": []}]));
}
