"""The cases that every Python client runs.

A client file says how the client is called and what its errors look like; what must come back is said here, once. cases.cjs says
the same for the npm clients.
"""

import json
import os
import re
import sys
import traceback
import urllib.request


def _setting(name):
    value = os.environ.get(name)
    if not value:
        sys.exit(f"{name} is not set: start this through ./run")
    return value


URL = _setting("CLIENTS_URL")
ADMIN = _setting("CLIENTS_ADMIN_TOKEN")
USER = _setting("CLIENTS_USER_TOKEN")
EXPECTED = _setting("CLIENTS_WIDGETS").split(" ")

BOT = 77
SETTINGS = {
    "login": "example",
    "password": "eXaMp1E",
    "phones": {"504141": "1039"},
    "script_path": "https://example.com/",
}
DATA = {
    "status": "success",
    "items": [1, 2.5, None, 12345678901234567890],
    "note": 'naïve ✓ "quoted"',
    "deep": {"a": {"b": [True]}},
}
KEYS = [
    "id", "code", "version", "rating", "settings_template", "is_lead_source", "is_work_with_dp", "is_crm_template",
    "client_uuid", "is_active_in_account", "pipeline_id", "_links",
]
TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}
RIGHTS = "Insufficient rights to call this method"


def equal(actual, expected):
    assert actual == expected, f"\nexpected: {expected!r}\n     got: {actual!r}"


def registry(method, path, body=None):
    """The bot's side of a continuation; not a part of what the clients know."""
    request = urllib.request.Request(
        f"{URL}/registry/v1{path}",
        method=method,
        headers={"Authorization": f"Bearer {ADMIN}", "Content-Type": "application/json"},
        data=None if body is None else json.dumps(body).encode(),
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
        return json.load(answer)


def open_continuation():
    opened = registry(
        "POST",
        f"/salesbot/{BOT}/continuations",
        {"widget_code": "demo_bot_step", "entity": {"type": "leads", "id": 5}, "timeout_seconds": 600},
    )
    equal(opened["state"], "waiting")
    return int(re.search(r"/api/v4/salesbot/77/continue/([1-9][0-9]*)$", opened["return_url"])[1])


def template(widget):
    return [(field["key"], field["name"], field["type"], field["is_required"]) for field in widget["settings_template"]]


class Cases:
    """A client file extends this.

    It sets `name`, and defines `connect(token, language)`, which gives a session with pages(limit), list(page, limit), get(code),
    install(code, settings), uninstall(code) and proceed(bot, id, data), and `failure(error)`, which gives (status, body) for the
    client's own API error and None for any other.
    """

    name = ""
    # What the client gives back for an answer without a body.
    nothing = None

    def connect(self, token, language=None):
        raise NotImplementedError

    def failure(self, error):
        raise NotImplementedError

    def __init__(self):
        self.admin = self.connect(ADMIN)
        self.user = self.connect(USER)
        self.total = len(EXPECTED)
        self.continue_id = None

    def run(self):
        failed = 0
        for case, method in CASES:
            try:
                method(self)
                print(f"ok - {self.name}: {case}", flush=True)
            except Exception:  # noqa: BLE001 - a case may fail in any way
                failed += 1
                print(f"not ok - {self.name}: {case}")
                print(re.sub("^", "#   ", traceback.format_exc().rstrip(), flags=re.M), flush=True)
        sys.exit(1 if failed else 0)

    def fails(self, call, status, detail=None):
        """Runs `call`, which must fail, and compares what the client made of the answer."""
        try:
            call()
        except Exception as error:  # noqa: BLE001
            failure = self.failure(error)
            assert failure, f"not the client's own API error: {error!r}"
            got, body = failure
            equal(got, status)
            equal(body["status"], status)
            equal(body["title"], TITLES[status])
            equal(body["type"], f"https://httpstatus.es/{status}")
            assert body["detail"], "no detail"
            if detail:
                equal(body["detail"], detail)
            return error, body
        raise AssertionError(f"the client reported success instead of {status}")

    def check_missing(self, error, body):
        """What the client makes of the list of validation errors; a client file may add to it."""
        equal(
            body["validation-errors"],
            [
                {
                    "request_id": "0",
                    "errors": [
                        {"code": "FieldMissing", "path": path, "detail": "This field is missing."}
                        for path in ("password", "phones", "script_path")
                    ],
                }
            ],
        )

    def list_pages(self):
        pages = self.admin.pages(2)
        widgets = [widget for page in pages for widget in page["_embedded"]["widgets"]]
        ids = [widget["id"] for widget in widgets]
        codes = [widget["code"] for widget in widgets]
        self.total = len(widgets)
        for number, page in enumerate(pages, 1):
            equal(page["_page"], number)
            equal(page["_links"]["self"]["href"], f"{URL}/api/v4/widgets?limit=2&page={number}")
            equal(len(page["_embedded"]["widgets"]), 2 if number < len(pages) else self.total - 2 * (number - 1))
            equal("prev" in page["_links"], number > 1)
        equal(ids, sorted(set(ids)))
        for code in EXPECTED:
            assert codes.count(code) == 1, f"{code} in {codes}"
        for widget in widgets:
            equal(list(widget), KEYS)
            equal(widget["_links"]["self"]["href"], f"{URL}/api/v4/widgets/{widget['code']}")

    def list_past_the_end(self):
        page = self.admin.list(2, self.total)
        equal(page["_page"], 2)
        equal(page["_embedded"]["widgets"], [])
        assert "next" not in page["_links"], page["_links"]

    def get(self):
        widget = self.admin.get("demo_telephony")
        equal(list(widget), KEYS)
        equal(widget["code"], "demo_telephony")
        equal(type(widget["rating"]), str)
        equal(widget["is_active_in_account"], False)
        equal(widget["pipeline_id"], None)
        equal(
            template(widget),
            [
                ("login", "Login", "text", True),
                ("password", "Password", "pass", True),
                ("phones", "Phone numbers", "users", True),
                ("script_path", "Script path", "text", True),
            ],
        )

    def get_language(self):
        widget = self.connect(ADMIN, "ru").get("demo_telephony")
        equal([field[1] for field in template(widget)], ["Логин", "Пароль", "Список телефонов", "Путь к скрипту"])

    def get_abilities(self):
        forms, notify, notes = (self.admin.get(code) for code in ("demo_forms", "demo_notify", "demo_notes"))
        equal((forms["is_lead_source"], forms["is_work_with_dp"]), (True, False))
        equal((notify["is_lead_source"], notify["is_work_with_dp"]), (False, True))
        equal(notes["settings_template"], [])

    def get_unknown(self):
        self.fails(lambda: self.admin.get("no_such_widget"), 404)

    def get_unauthorized(self):
        stranger = self.connect("not.a.token")
        self.fails(lambda: stranger.get("demo_telephony"), 401, "Invalid user name or password")

    def install_as_user(self):
        self.fails(lambda: self.user.install("demo_telephony", SETTINGS), 403, RIGHTS)
        equal(self.user.get("demo_telephony")["is_active_in_account"], False)

    def install_missing(self):
        self.check_missing(
            *self.fails(lambda: self.admin.install("demo_telephony", {"login": "example"}), 400, "Request validation failed")
        )
        equal(self.admin.get("demo_telephony")["is_active_in_account"], False)

    def install_unknown(self):
        self.fails(lambda: self.admin.install("no_such_widget", SETTINGS), 404)

    def install(self):
        widget = self.admin.install("demo_telephony", SETTINGS)
        equal(list(widget), [*KEYS[:-1], "settings", "_links"])
        equal(widget["settings"], SETTINGS)
        equal(widget["is_active_in_account"], True)
        seen = self.user.get("demo_telephony")
        equal(seen["is_active_in_account"], True)
        assert "settings" not in seen, seen

    def install_again(self):
        second = {**SETTINGS, "login": "second"}
        widget = self.admin.install("demo_telephony", {**second, "phones": {"504141": 1039, "7": "11"}})
        equal(widget["settings"], {**second, "phones": {"504141": "1039", "7": "11"}})

    def install_without_settings(self):
        equal(self.admin.install("demo_notes", {})["settings"], {})
        self.admin.uninstall("demo_notes")

    def uninstall_as_user(self):
        self.fails(lambda: self.user.uninstall("demo_telephony"), 403, RIGHTS)

    def uninstall(self):
        equal(self.admin.uninstall("demo_telephony"), self.nothing)
        equal(self.admin.get("demo_telephony")["is_active_in_account"], False)

    def uninstall_again(self):
        self.fails(lambda: self.admin.uninstall("demo_telephony"), 404)

    def proceed(self):
        self.continue_id = open_continuation()
        self.fails(lambda: self.user.proceed(BOT, self.continue_id, DATA), 403, RIGHTS)
        equal(self.admin.proceed(BOT, self.continue_id, DATA), self.nothing)

    def proceed_again(self):
        self.fails(
            lambda: self.admin.proceed(BOT, self.continue_id, DATA),
            404,
            "Record of the widget awaiting the execution result was not found",
        )

    def proceed_arrived(self):
        record = registry("GET", f"/continuations/{self.continue_id}")
        equal(record["state"], "continued")
        equal(record["data"], DATA)


CASES = [
    ("list: two at a time, until there is no next link", Cases.list_pages),
    ("list: past the end", Cases.list_past_the_end),
    ("get: by code", Cases.get),
    ("get: in another language", Cases.get_language),
    ("get: what a widget can do", Cases.get_abilities),
    ("get: an unknown code", Cases.get_unknown),
    ("get: a token that is none", Cases.get_unauthorized),
    ("install: a user who is no admin", Cases.install_as_user),
    ("install: required fields are missing", Cases.install_missing),
    ("install: an unknown code", Cases.install_unknown),
    ("install", Cases.install),
    ("install: again, with an extension given as a number", Cases.install_again),
    ("install: a widget without settings", Cases.install_without_settings),
    ("uninstall: a user who is no admin", Cases.uninstall_as_user),
    ("uninstall", Cases.uninstall),
    ("uninstall: again", Cases.uninstall_again),
    ("continue: a bot, with data", Cases.proceed),
    ("continue: again", Cases.proceed_again),
    ("continue: the data has arrived", Cases.proceed_arrived),
]
