"""The two reads: one prepared statement each."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import asyncpg
import jwt
import orjson
from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse

CONNECTIONS = 16
ISSUER = "widget-registry"
PATH = "/api/v4/widgets"
LOCALE = "en"
MOST_LIMIT = 250
MOST_PAGE = 1_000_000
TITLES = {400: "Bad Request", 401: "Unauthorized", 404: "Not Found"}

# The widget in its current version, with the account's install of it. $1 is the account and $2 the user.
COLUMNS = """SELECT w.id, w.code, w.rating_tenths, w.is_crm_template, w.client_uuid::text, v.version, v.template, v.is_lead_source,
  v.is_work_with_dp, i.account_id IS NOT NULL AS is_installed, i.pipeline_id
FROM widgets w
JOIN widget_versions v ON v.widget_id = w.id AND v.version = w.current_version
LEFT JOIN installs i ON i.account_id = $1 AND i.widget_id = w.id
WHERE (w.visibility = 'public' OR i.account_id IS NOT NULL OR w.owner_account_id = $1 AND w.owner_user_id = $2)"""
ONE = f"{COLUMNS} AND w.code = $3"
LIST = f"{COLUMNS} ORDER BY w.id LIMIT $3 OFFSET $4"


def text(name: dict[str, Any]) -> str:
    texts = name["texts"]
    for locale, words in texts:
        if locale.lower() == LOCALE:
            return words
    return texts[0][1] if texts else name["fallback"]


def model(row: asyncpg.Record, base: str) -> dict[str, Any]:
    tenths = row["rating_tenths"]
    return {
        "id": row["id"],
        "code": row["code"],
        "version": row["version"],
        "rating": f"{tenths // 10},{tenths % 10}" if tenths else "0",
        "settings_template": [
            {"key": field["key"], "name": text(field["name"]), "type": field["type"], "is_required": field["is_required"]}
            for field in orjson.loads(row["template"])
        ],
        "is_lead_source": row["is_lead_source"],
        "is_work_with_dp": row["is_work_with_dp"],
        "is_crm_template": row["is_crm_template"],
        "client_uuid": row["client_uuid"],
        "is_active_in_account": row["is_installed"],
        "pipeline_id": row["pipeline_id"],
        "_links": {"self": {"href": f"{base}/{row['code']}"}},
    }


def links(base: str, page: int, limit: int, has_next: bool) -> dict[str, Any]:
    def to(number: int) -> dict[str, str]:
        return {"href": f"{base}?limit={limit}&page={number}"}

    found = {"self": to(page)}
    if has_next:
        found["next"] = to(page + 1)
    if page > 1:
        found |= {"prev": to(page - 1), "first": to(1)}
    return found


def answer(body: dict[str, Any]) -> Response:
    return Response(orjson.dumps(body), media_type="application/hal+json", headers={"cache-control": "no-store"})


def make_app(database: str, secret: str, connections: int, ready: Callable[[], object]) -> FastAPI:
    """The service, which calls `ready` when its connections are open."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with asyncpg.create_pool(database, min_size=connections, max_size=connections) as pool:
            app.state.pool = pool
            ready()
            yield

    app = FastAPI(lifespan=lifespan, openapi_url=None)

    @app.exception_handler(HTTPException)
    async def problem(_: Request, error: HTTPException) -> Response:
        status = error.status_code
        body = {"title": TITLES.get(status, "Error"), "type": f"https://httpstatus.es/{status}", "status": status, "detail": error.detail}
        return JSONResponse(body, status, media_type="application/problem+json")

    async def caller(authorization: Annotated[str, Header()] = "") -> tuple[int, int]:
        try:
            claims = jwt.decode(authorization.removeprefix("Bearer "), secret, algorithms=["HS256"], issuer=ISSUER, options={"require": ["exp"]})
            return claims["account_id"], int(claims["sub"])
        except (jwt.InvalidTokenError, KeyError, ValueError):
            raise HTTPException(401, "Invalid user name or password") from None

    Caller = Annotated[tuple[int, int], Depends(caller)]

    @app.get(PATH + "/{code}")
    async def show(request: Request, code: str, who: Caller) -> Response:
        row = await app.state.pool.fetchrow(ONE, *who, code)
        if row is None:
            raise HTTPException(404, "There is no such widget")
        return answer(model(row, f"http://{request.headers['host']}{PATH}"))

    @app.get(PATH)
    async def page_of(
        request: Request,
        who: Caller,
        page: Annotated[int, Query(ge=1, le=MOST_PAGE)] = 1,
        limit: Annotated[int, Query(ge=1)] = 50,
    ) -> Response:
        limit = min(limit, MOST_LIMIT)
        # One more than the page has, to know whether there is another page.
        rows = await app.state.pool.fetch(LIST, *who, limit + 1, (page - 1) * limit)
        base = f"http://{request.headers['host']}{PATH}"
        has_next = len(rows) > limit and page < MOST_PAGE
        widgets = [model(row, base) for row in rows[:limit]]
        return answer({"_page": page, "_links": links(base, page, limit, has_next), "_embedded": {"widgets": widgets}})

    return app
