"""amocrm-api-wrapper: a method of its own for every case."""

import logging

import httpx
from amocrm_api import AmoOAuthClient
from amocrm_api.errors import AmoException

from cases import CASES, URL, Cases, equal, registry

logging.disable(logging.CRITICAL)


def without_json(send):
    """This release gives `json=` to every method of httpx, also to get() and delete(), which have no such parameter and raise
    TypeError. Its value is always None there, so nothing that would be sent is lost."""

    def call(session, url, json=None, **kwargs):
        assert json is None, json
        return send(session, url, **kwargs)

    return call


# Of the class, because the client makes a new session when it has got a new token.
httpx.Client.get, httpx.Client.delete = without_json(httpx.Client.get), without_json(httpx.Client.delete)


class Session:
    def __init__(self, token, language):
        self.amo = AmoOAuthClient(
            access_token=token,
            refresh_token="none",
            crm_url=URL,
            client_id="none",
            client_secret="none",
            redirect_uri="none",
        )
        # It would try again, after seconds, whatever ends in 5xx; here that is a failure at once.
        self.amo.max_retries = 0
        if language:
            self.amo.update_session_params({"Accept-Language": language})
        assert isinstance(self.amo._session, httpx.Client)

    def pages(self, limit):
        pages = [self.amo.get_widgets(page=1, limit=limit)]
        while "next" in pages[-1]["_links"]:
            pages.append(self.amo.get_widgets(page=len(pages) + 1, limit=limit))
        return pages

    def list(self, page, limit):
        return self.amo.get_widgets(page=page, limit=limit)

    def get(self, code):
        return self.amo.get_widget(code)

    def install(self, code, settings):
        return self.amo.install_widget(code, **settings)

    def uninstall(self, code):
        return self.amo.uninstall_widget(code)

    def proceed(self, bot, continue_id, data):
        return self.amo.continue_salesbot_widget("salesbot", bot, continue_id, data=data)


class Wrapper(Cases):
    name = "amocrm-api-wrapper"
    nothing = {}

    def connect(self, token, language=None):
        return Session(token, language)

    def failure(self, error):
        # After a 401 the client asks for a new token, which the registry does not give to an integration called "none": it then
        # reports that refusal, and the 401 as what it was doing before.
        if isinstance(error.__context__, AmoException):
            error = error.__context__
        return (error.code, error.error_data) if isinstance(error, AmoException) else None

    def own_pager(self):
        # The client's own way through a list: it asks for pages until one is short or empty and looks at no links.
        codes = [widget["code"] for widget in self.admin.amo._iter_entities("widgets", limit=2, embedded_key="widgets")]
        equal(len(codes), self.total)
        whole = [widget["code"] for widget in self.admin.amo._iter_entities("widgets", limit=self.total)]
        equal(whole, codes)

    def refresh(self):
        # A refused access token: the client posts its refresh token and goes on with what it gets, again and again.
        made = registry("POST", "/integrations", {"name": "Refreshing"})
        client = {"client_id": made["client_uuid"], "client_secret": made["secret"]}
        grant = httpx.post(f"{URL}/oauth2/access_token", data={"grant_type": "client_credentials", **client}).json()
        stored = []
        amo = AmoOAuthClient(
            access_token="expired",
            refresh_token=grant["refresh_token"],
            crm_url=URL,
            redirect_uri="https://example.com/",
            token_store=lambda access, refresh: stored.append((access, refresh)),
            **client,
        )
        equal(len(amo.get_widgets(page=1, limit=2)["_embedded"]["widgets"]), 2)
        equal(len(stored), 1)
        amo.get_widgets(page=1, limit=2)
        equal(len(stored), 1)
        amo._access_token = "expired"
        amo.update_session_auth_headers()
        amo.get_widgets(page=1, limit=2)
        equal(len({grant["refresh_token"], *(refresh for _, refresh in stored)}), 3)
        # A used one is refused in words that the client can tell.
        amo._access_token, amo._refresh_token = "expired", grant["refresh_token"]
        amo.update_session_auth_headers()
        try:
            amo.get_widgets(page=1, limit=2)
        except AmoException as error:
            equal((error.code, error.error_data["hint"]), (401, "Token has been revoked"))
            equal(error.error_data["title"], "Unauthorized")
        else:
            raise AssertionError("a used refresh token was taken")


CASES.append(("list: the client's own pager", Wrapper.own_pager))
CASES.append(("a refused access token is refreshed", Wrapper.refresh))

if __name__ == "__main__":
    Wrapper().run()
