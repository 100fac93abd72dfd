"""A relay over the official PDSes: their events in one stream, and of accounts only what their own host says.

The official relay is no npm package. What a consumer may rely on of it is done here: one sequence, and no word on an
account from a host that its DID document does not name.
"""

import asyncio
import io
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import cbor2
import httpx2
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from websockets.asyncio.client import connect

from tests.network.official import Network
from zeppelin_pipeline.devnet.firehose import SUBSCRIBE_PATH, Firehose
from zeppelin_pipeline.devnet.model import LiveConfig
from zeppelin_pipeline.identity.documents import parse_document

_BACKLOG_EVENTS = 10_000


def relay_app(network: Network) -> Starlette:
    """The relay; it follows the hosts as long as it is served."""
    firehose = Firehose(LiveConfig(backlog_events=_BACKLOG_EVENTS))

    @asynccontextmanager
    async def following(_app: Starlette) -> AsyncGenerator[None]:
        async with httpx2.AsyncClient(base_url=network.plc_url, trust_env=False) as directory:
            tasks = [asyncio.create_task(_follow(url, directory, firehose)) for url in network.pds_urls.values()]
            yield
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    return Starlette(routes=[WebSocketRoute(SUBSCRIBE_PATH, firehose.serve)], lifespan=following)


async def _follow(host: str, directory: httpx2.AsyncClient, firehose: Firehose) -> None:
    address = f"{host.replace('http://', 'ws://')}{SUBSCRIBE_PATH}?cursor=0"
    async with connect(address, max_size=None, proxy=None) as stream:
        async for data in stream:
            assert isinstance(data, bytes)
            header, body = _decode(data)
            if header.get("t") == "#account" and not await _is_host_of(host, body["did"], directory):
                continue
            firehose.publish(lambda seq, header=header, body=body: _encode(header, body | {"seq": seq}))


async def _is_host_of(host: str, did: str, directory: httpx2.AsyncClient) -> bool:
    answer = await directory.get(f"/{did}")
    return answer.status_code == 200 and parse_document(answer.content, did).pds == host


def _decode(data: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    stream = io.BytesIO(data)
    return cbor2.load(stream), cbor2.load(stream)


def _encode(header: dict[str, Any], body: dict[str, Any]) -> bytes:
    """Links stay links, which our own decoder gives as plain bytes."""
    return cbor2.dumps(header, canonical=True) + cbor2.dumps(body, canonical=True)
