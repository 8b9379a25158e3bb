"""As many processes as there are processors, on one port."""

import asyncio
import json
import os
import signal
import socket
import sys
import time

import asyncpg
import jwt
import uvicorn

from service import CONNECTIONS, ISSUER, PATH, make_app

DAY = 24 * 3600
FIRST = """SELECT w.code FROM installs i JOIN widgets w ON w.id = i.widget_id
WHERE i.account_id = $1 AND w.current_version IS NOT NULL ORDER BY w.id LIMIT 1"""


async def any_installed(account: int) -> str:
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    try:
        code = await connection.fetchval(FIRST, account)
    finally:
        await connection.close()
    if code is None:
        sys.exit(f"peers/fastapi: BENCH_CODE is not given, and no widget is installed in account {account}")
    return code


def serve(listener: socket.socket, connections: int, ready: int) -> None:
    """Serves in this process, and says so by a byte into `ready`."""
    secret = os.environ["BENCH_TOKEN_SECRET"]
    app = make_app(os.environ["DATABASE_URL"], secret, connections, lambda: os.write(ready, b"."))
    config = uvicorn.Config(app, loop="uvloop", http="httptools", access_log=False, log_level="error", timeout_graceful_shutdown=5)
    uvicorn.Server(config).run(sockets=[listener])


def main() -> None:
    account = int(os.environ.get("BENCH_ACCOUNT") or 1)
    code = os.environ.get("BENCH_CODE") or asyncio.run(any_installed(account))
    claims = {"iss": ISSUER, "sub": "7", "account_id": account, "role": "user", "exp": int(time.time()) + DAY}
    # The id of the key is that of the registry, so that one token is good for both.
    token = jwt.encode(claims, os.environ["BENCH_TOKEN_SECRET"], algorithm="HS256", headers={"kid": "bench"})

    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    processes = len(os.sched_getaffinity(0))
    is_ready, ready = os.pipe()
    children = []
    for _ in range(processes):
        child = os.fork()
        if child == 0:
            os.close(is_ready)
            serve(listener, -(-CONNECTIONS // processes), ready)
            sys.exit(0)
        children.append(child)
    os.close(ready)

    def stop(*_: object) -> None:
        for child in children:
            try:
                os.kill(child, signal.SIGTERM)
            except ProcessLookupError:
                pass

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    # One that ends takes the others with it.
    signal.signal(signal.SIGCHLD, stop)

    answering = 0
    while answering < processes:
        told = os.read(is_ready, processes)
        if not told:
            # All have ended.
            sys.exit("peers/fastapi: it did not start")
        answering += len(told)
    port = listener.getsockname()[1]
    listener.close()
    told = {
        "url": f"http://127.0.0.1:{port}",
        "one": f"{PATH}/{code}",
        "list": f"{PATH}?limit=50&page=1",
        "headers": {"authorization": f"Bearer {token}"},
    }
    print(json.dumps(told), flush=True)
    for child in children:
        os.waitpid(child, 0)


main()
