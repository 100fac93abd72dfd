"""What the relay answers over HTTP: its hosts, all repositories, and at which rate events come to be.

The firehose is in firehose.py.
"""

import asyncio
from typing import Any, Final

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute

from zeppelin_pipeline.devnet.firehose import SUBSCRIBE_PATH, Firehose
from zeppelin_pipeline.devnet.host import Host
from zeppelin_pipeline.devnet.listing import list_repos
from zeppelin_pipeline.devnet.live import LiveFeed
from zeppelin_pipeline.devnet.state import NetworkState
from zeppelin_pipeline.devnet.xrpc import (
    EXCEPTION_HANDLERS,
    Handler,
    Parameters,
    XrpcError,
    answer,
    json_response,
)

#: Where a running network is asked and told how many events a second it makes.
LIVE_PATH: Final = "/_devnet/live"
MOST_EVENTS_PER_SECOND: Final = 100_000


class RelayMethods:
    """The XRPC methods of the relay."""

    def __init__(self, hosts: list[Host], state: NetworkState, firehose: Firehose) -> None:
        self._hosts = hosts
        self._firehose = firehose
        self._state = state

    def by_name(self) -> dict[str, Handler]:
        """The methods by NSID."""
        return {
            "_health": self._health,
            "com.atproto.sync.getHostStatus": self._get_host_status,
            "com.atproto.sync.listHosts": self._list_hosts,
            "com.atproto.sync.listRepos": self._list_repos,
        }

    async def _health(self, _parameters: Parameters) -> Response:
        return json_response({"status": "ok"})

    async def _list_hosts(self, parameters: Parameters) -> Response:
        limit, start = parameters.limit(200, 1000), parameters.number_cursor()
        answered: dict[str, Any] = {"hosts": [self._view(host) for host in self._hosts[start : start + limit]]}
        if start + limit < len(self._hosts):
            answered["cursor"] = str(start + limit)
        return json_response(answered)

    async def _get_host_status(self, parameters: Parameters) -> Response:
        hostname = parameters.text("hostname")
        for host in self._hosts:
            if host.hostname == hostname:
                return json_response(self._view(host))
        raise XrpcError("HostNotFound", "host not found")

    async def _list_repos(self, parameters: Parameters) -> Response:
        limit, start = parameters.limit(500, 1000), parameters.number_cursor()
        accounts = self._state.population.accounts
        page = await asyncio.to_thread(
            list_repos, self._state, accounts, limit, start, lambda _: None, self._state.status
        )
        return json_response(page)

    def _view(self, host: Host) -> dict[str, Any]:
        return {
            "hostname": host.hostname,
            "seq": max(self._firehose.last_seq, 0),
            "accountCount": len(self._state.on_host(host.number)),
            "status": "active",
        }


def relay_app(hosts: list[Host], state: NetworkState, firehose: Firehose, feed: LiveFeed) -> Starlette:
    """The relay over HTTP."""
    methods = RelayMethods(hosts, state, firehose).by_name()

    async def xrpc(request: Request) -> Response:
        return await answer(methods, request)

    async def live(request: Request) -> Response:
        if request.method == "POST":
            try:
                rate = float(orjson.loads(await request.body())["events_per_second"])
            except (orjson.JSONDecodeError, TypeError, KeyError, ValueError) as error:
                return json_response({"error": "InvalidRequest", "message": repr(error)}, 400)
            if not 0 <= rate <= MOST_EVENTS_PER_SECOND:
                return json_response({"error": "InvalidRequest", "message": f"0 to {MOST_EVENTS_PER_SECOND}"}, 400)
            feed.events_per_second = rate
        return json_response({"events_per_second": feed.events_per_second, "made": feed.made})

    return Starlette(
        routes=[
            WebSocketRoute(SUBSCRIBE_PATH, firehose.serve),
            Route(LIVE_PATH, live, methods=["GET", "POST"]),
            Route("/xrpc/{method}", xrpc, methods=["GET", "HEAD", "POST"]),
        ],
        exception_handlers=EXCEPTION_HANDLERS,
    )
