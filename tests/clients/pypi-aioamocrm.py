"""aioamocrm: knows no widgets, so everything goes through `amo.request`, its generic requests."""

import asyncio

import aioamocrm
import httpx

from cases import URL, Cases, equal


class Session:
    def __init__(self, loop, token, language):
        self.loop = loop
        self.amo = aioamocrm.AmoCRMClient(
            base_url=URL,
            auth=aioamocrm.LongLivedToken(token),
            http=httpx.AsyncClient(timeout=30, headers={"Accept-Language": language} if language else None),
            rate_limit=None,
            retry=aioamocrm.RetryPolicy(max_attempts=1),
        )

    def request(self, method, path, **kwargs):
        return self.loop.run_until_complete(self.amo.request(method, path, **kwargs))

    def pages(self, limit):
        pages = [self.request("GET", "widgets", params={"page": 1, "limit": limit})]
        while "next" in pages[-1]["_links"]:
            # The client refuses a link that names another scheme, host or port than its base_url.
            pages.append(self.request("GET", pages[-1]["_links"]["next"]["href"]))
        return pages

    def list(self, page, limit):
        return self.request("GET", "widgets", params={"page": page, "limit": limit})

    def get(self, code):
        return self.request("GET", f"widgets/{code}")

    def install(self, code, settings):
        return self.request("POST", f"widgets/{code}", json=settings)

    def uninstall(self, code):
        return self.request("DELETE", f"widgets/{code}")

    def proceed(self, bot, continue_id, data):
        return self.request("POST", f"salesbot/{bot}/continue/{continue_id}", json={"data": data})


class Aioamocrm(Cases):
    name = "aioamocrm"
    loop = asyncio.new_event_loop()
    errors = {
        400: aioamocrm.ValidationError,
        401: aioamocrm.AuthError,
        403: aioamocrm.ForbiddenError,
        404: aioamocrm.NotFoundError,
    }

    def connect(self, token, language=None):
        return Session(self.loop, token, language)

    def failure(self, error):
        # It has a class for every status, and reads title and detail from the body.
        if type(error) is not self.errors.get(getattr(error, "status_code", None)):
            return None
        equal((error.title, error.detail), (error.body["title"], error.body["detail"]))
        return error.status_code, error.body

    def check_missing(self, error, body):
        super().check_missing(error, body)
        equal(
            [(issue.request_id, issue.code, issue.path, issue.detail) for issue in error.errors],
            [("0", "FieldMissing", path, "This field is missing.") for path in ("password", "phones", "script_path")],
        )


if __name__ == "__main__":
    Aioamocrm().run()
