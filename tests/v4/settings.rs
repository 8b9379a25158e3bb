//! The rules of each kind of setting.

use super::install::{publish, settings, stored};
use crate::support::{Sample, TestApp, test};

/// Sends each body to a widget with one field: either it is stored and answered as given here, or it is refused with these
/// errors and nothing is stored.
async fn each(app: &TestApp, kind: &str, required: bool, table: &[(&str, Result<&str, &[&str]>)]) {
    let sample = Sample { code: format!("one_{kind}_{required}"), ..Sample::field(kind, required) };
    publish(app, &sample).await;
    let path = format!("/api/v4/widgets/{}", sample.code);
    for (body, expected) in table {
        let answer = app.admin().post(&path, body).await;
        match expected {
            Ok(expected) => {
                assert_eq!(settings(&answer), *expected, "{kind} {required} {body}");
                assert_eq!(stored(app, &sample.code).await, *expected, "{kind} {required} {body}");
                assert_eq!(app.admin().delete(&path).await.status, 204);
            }
            Err(expected) => {
                assert_eq!(answer.violations(), *expected, "{kind} {required} {body}");
                app.admin().delete(&path).await.problem(404);
            }
        }
    }
}

#[test]
fn text_and_pass() {
    test(async |app| {
        for kind in ["text", "pass"] {
            let same: &[(&str, Result<&str, &[&str]>)] = &[
                (r#"{"field":"x"}"#, Ok(r#"{"field":"x"}"#)),
                (r#" { "field" : " \u0041\/ж " } "#, Ok(r#"{"field":" \u0041\/ж "}"#)),
                (r#"{"field":5}"#, Err(&["InvalidType field"])),
                (r#"{"field":true}"#, Err(&["InvalidType field"])),
                (r#"{"field":[]}"#, Err(&["InvalidType field"])),
                (r#"{"field":{}}"#, Err(&["InvalidType field"])),
            ];
            each(
                app,
                kind,
                true,
                &[
                    same,
                    &[
                        ("{}", Err(&["FieldMissing field"])),
                        ("[]", Err(&["FieldMissing field"])),
                        ("", Err(&["FieldMissing field"])),
                        (r#"{"field":null}"#, Err(&["NotBlank field"])),
                        (r#"{"field":""}"#, Err(&["NotBlank field"])),
                        (r#"{"field":" \t\u00a0"}"#, Err(&["NotBlank field"])),
                        (r#"{"Field":"x"}"#, Err(&["FieldMissing field", "NotExpected Field"])),
                    ],
                ]
                .concat(),
            )
            .await;
            each(
                app,
                kind,
                false,
                &[
                    same,
                    &[
                        ("{}", Ok("{}")),
                        ("[]", Ok("{}")),
                        ("", Ok("{}")),
                        (" \n", Ok("{}")),
                        (r#"{"field":null}"#, Ok("{}")),
                        (r#"{"field":""}"#, Ok(r#"{"field":""}"#)),
                        (r#"{"field":" "}"#, Ok(r#"{"field":" "}"#)),
                        (r#"{"Field":"x"}"#, Err(&["NotExpected Field"])),
                    ],
                ]
                .concat(),
            )
            .await;
        }
    });
}

#[test]
fn users() {
    test(async |app| {
        let same: &[(&str, Result<&str, &[&str]>)] = &[
            (r#"{"field":{"504141":"1039"}}"#, Ok(r#"{"field":{"504141":"1039"}}"#)),
            (r#"{"field":{"504141":1039}}"#, Ok(r#"{"field":{"504141":"1039"}}"#)),
            (r#"{"field":{"7":-5, "5" : "x y"}}"#, Ok(r#"{"field":{"7":"-5","5":"x y"}}"#)),
            (r#"{"field":{"\u0037":1}}"#, Ok(r#"{"field":{"7":"1"}}"#)),
            (r#"{"field":{"9223372036854775807":"1"}}"#, Ok(r#"{"field":{"9223372036854775807":"1"}}"#)),
            (r#"{"field":{"1":12345678901234567890123}}"#, Ok(r#"{"field":{"1":"12345678901234567890123"}}"#)),
            (
                r#"{"field":{"0504141":"1","+5":"1","5 ":"1","-1":"1","0":"1","":"1","5.0":"1","9223372036854775808":"1","٥":"1"}}"#,
                Err(&[
                    "NotExpected field.0504141",
                    "NotExpected field.+5",
                    "NotExpected field.5 ",
                    "NotExpected field.-1",
                    "NotExpected field.0",
                    "NotExpected field.",
                    "NotExpected field.5.0",
                    "NotExpected field.9223372036854775808",
                    "NotExpected field.٥",
                ]),
            ),
            (
                r#"{"field":{"1":null,"2":true,"3":{},"4":[],"5":1.5,"6":1e3,"7":"fine"}}"#,
                Err(&[
                    "InvalidType field.1",
                    "InvalidType field.2",
                    "InvalidType field.3",
                    "InvalidType field.4",
                    "InvalidType field.5",
                    "InvalidType field.6",
                ]),
            ),
            (r#"{"field":"1039"}"#, Err(&["InvalidType field"])),
            (r#"{"field":1039}"#, Err(&["InvalidType field"])),
            (r#"{"field":["1039"]}"#, Err(&["InvalidType field"])),
            (r#"{"field":{"1":"1"},"more":1}"#, Err(&["NotExpected more"])),
        ];
        each(
            app,
            "users",
            true,
            &[
                same,
                &[
                    ("{}", Err(&["FieldMissing field"])),
                    (r#"{"field":null}"#, Err(&["NotBlank field"])),
                    (r#"{"field":{}}"#, Err(&["NotBlank field"])),
                    (r#"{"field":[]}"#, Err(&["NotBlank field"])),
                ],
            ]
            .concat(),
        )
        .await;
        each(
            app,
            "users",
            false,
            &[
                same,
                &[
                    ("{}", Ok("{}")),
                    (r#"{"field":null}"#, Ok("{}")),
                    (r#"{"field":{}}"#, Ok(r#"{"field":{}}"#)),
                    // PHP has one literal for an empty list and an empty map.
                    (r#"{"field":[ ]}"#, Ok(r#"{"field":{}}"#)),
                ],
            ]
            .concat(),
        )
        .await;
    });
}

#[test]
fn users_with_login_and_password() {
    test(async |app| {
        let same: &[(&str, Result<&str, &[&str]>)] = &[
            (
                r#"{"field":{"504141":{"login":"a","password":"b"}}}"#,
                Ok(r#"{"field":{"504141":{"login":"a","password":"b"}}}"#),
            ),
            (
                r#"{"field":{"5":{ "password" : "\u0062" , "login":"\/" },"3":{"login":"c","password":" d"}}}"#,
                Ok(r#"{"field":{"5":{"login":"\/","password":"\u0062"},"3":{"login":"c","password":" d"}}}"#),
            ),
            (
                r#"{"field":{"1":{"login":"a"},"2":{"password":"b"},"3":{},"4":[]}}"#,
                Err(&[
                    "FieldMissing field.1.password",
                    "FieldMissing field.2.login",
                    "FieldMissing field.3.login",
                    "FieldMissing field.3.password",
                    "FieldMissing field.4.login",
                    "FieldMissing field.4.password",
                ]),
            ),
            (
                r#"{"field":{"1":{"login":"","password":" "},"2":{"login":null,"password":5},"3":{"login":{},"password":[]}}}"#,
                Err(&[
                    "NotBlank field.1.login",
                    "NotBlank field.1.password",
                    "InvalidType field.2.login",
                    "InvalidType field.2.password",
                    "InvalidType field.3.login",
                    "InvalidType field.3.password",
                ]),
            ),
            (
                r#"{"field":{"1":{"login":"a","password":"b","Login":"c"},"2":"a","3":null,"4":["a"]}}"#,
                Err(&[
                    "NotExpected field.1.Login",
                    "InvalidType field.2",
                    "InvalidType field.3",
                    "InvalidType field.4",
                ]),
            ),
            (
                r#"{"field":{"0504141":{"login":"a","password":"b"},"-1":{}}}"#,
                Err(&["NotExpected field.0504141", "NotExpected field.-1"]),
            ),
            (r#"{"field":"a"}"#, Err(&["InvalidType field"])),
        ];
        each(
            app,
            "users_lp",
            true,
            &[
                same,
                &[
                    ("{}", Err(&["FieldMissing field"])),
                    (r#"{"field":null}"#, Err(&["NotBlank field"])),
                    (r#"{"field":{}}"#, Err(&["NotBlank field"])),
                    (r#"{"field":[]}"#, Err(&["NotBlank field"])),
                ],
            ]
            .concat(),
        )
        .await;
        each(
            app,
            "users_lp",
            false,
            &[
                same,
                &[
                    ("{}", Ok("{}")),
                    (r#"{"field":null}"#, Ok("{}")),
                    (r#"{"field":{}}"#, Ok(r#"{"field":{}}"#)),
                    (r#"{"field":[]}"#, Ok(r#"{"field":{}}"#)),
                ],
            ]
            .concat(),
        )
        .await;
    });
}

#[test]
fn custom() {
    test(async |app| {
        let same: &[(&str, Result<&str, &[&str]>)] = &[
            (r#"{"field":false}"#, Ok(r#"{"field":false}"#)),
            (r#"{"field":-0}"#, Ok(r#"{"field":-0}"#)),
            (r#"{"field":[null]}"#, Ok(r#"{"field":[null]}"#)),
            (
                r#"{"field": {"b":1e131071,"a":[0.10,12345678901234567890123,{ "\u0041":"\/" }]} }"#,
                Ok(r#"{"field":{"b":1e131071,"a":[0.10,12345678901234567890123,{ "\u0041":"\/" }]}}"#),
            ),
        ];
        each(
            app,
            "custom",
            true,
            &[
                same,
                &[
                    ("{}", Err(&["FieldMissing field"])),
                    (r#"{"field":null}"#, Err(&["NotBlank field"])),
                    (r#"{"field":""}"#, Err(&["NotBlank field"])),
                    (r#"{"field":" \n"}"#, Err(&["NotBlank field"])),
                    (r#"{"field":{ }}"#, Err(&["NotBlank field"])),
                    (r#"{"field":[]}"#, Err(&["NotBlank field"])),
                ],
            ]
            .concat(),
        )
        .await;
        each(
            app,
            "custom",
            false,
            &[
                same,
                &[
                    ("{}", Ok("{}")),
                    (r#"{"field":null}"#, Ok("{}")),
                    (r#"{"field":""}"#, Ok(r#"{"field":""}"#)),
                    (r#"{"field":{ }}"#, Ok(r#"{"field":{ }}"#)),
                    (r#"{"field":[]}"#, Ok(r#"{"field":[]}"#)),
                ],
            ]
            .concat(),
        )
        .await;
    });
}
