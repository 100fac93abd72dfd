"""One PDS host and its troubles: the faults set on it, its request limits. What it answers is in pds.py."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from zeppelin_pipeline.devnet.damage import cut_at_block, flip_byte
from zeppelin_pipeline.devnet.faults import CONTENT_KINDS, Fault, FaultKind
from zeppelin_pipeline.devnet.model import Account
from zeppelin_pipeline.devnet.rate_limit import RateLimit
from zeppelin_pipeline.devnet.serving import BrokenResponse, DrippingResponse, DroppedResponse
from zeppelin_pipeline.devnet.xrpc import XrpcError, car_response

GET_REPO = "com.atproto.sync.getRepo"


@dataclass(slots=True)
class StandingFault:
    """A fault on a host, and how often it has struck."""

    fault: Fault
    strikes: int = 0

    def strike(self, method: str, did: str | None) -> bool:
        """Whether it strikes this request; counted if so."""
        used_up = self.fault.first is not None and self.strikes >= self.fault.first
        if used_up or not self.fault.touches(method) or not self.fault.hits(did):
            return False
        self.strikes += 1
        return True


class RateLimiter:
    """Fixed windows, one bucket for `getRepo` and one for all else, for each client address."""

    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self._windows: dict[tuple[str, bool], tuple[float, int]] = {}

    def count(self, client: str, method: str) -> tuple[bool, dict[str, str]]:
        """Count a request: whether it may go on, and the headers to answer with."""
        is_fetch = method == GET_REPO
        allowed = self.limit.requests * (2 if is_fetch else 1)
        now, window = time.time(), self.limit.window_seconds
        start, used = self._windows.get((client, is_fetch), (now, 0))
        if now >= start + window:
            start, used = now, 0
        used += 1
        self._windows[client, is_fetch] = (start, used)
        headers = {
            "ratelimit-limit": str(allowed),
            "ratelimit-remaining": str(max(allowed - used, 0)),
            "ratelimit-reset": str(int(start + window) + 1),
            "ratelimit-policy": f"{allowed};w={window:g}",
        }
        return used <= allowed, headers


@dataclass(slots=True)
class Host:
    """A PDS host of the network.

    Attributes:
        number: its place in the configuration.
        url: `http://127.0.0.1:port`.
        limiter: what it allows a client.
        faults: what is wrong with it now.
        requests: how many requests of each method it has had, those that a fault struck included.
    """

    number: int
    url: str
    limiter: RateLimiter
    faults: list[StandingFault] = field(default_factory=list[StandingFault])
    requests: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def hostname(self) -> str:
        """`127.0.0.1:port`."""
        return self.url.removeprefix("http://")

    def content_fault(self, account: Account) -> FaultKind | None:
        """What is wrong with the repository of an account as this host has it; None when nothing is."""
        if account.former_host == self.number:
            return FaultKind.TWO_HOSTS
        for standing in self.faults:
            if standing.fault.kind in CONTENT_KINDS and standing.fault.hits(account.did):
                return standing.fault.kind
        return None

    def admit(self, request: Request, method: str) -> tuple[Response | None, Mapping[str, str]]:
        """Count the request: an answer that ends it here, or None; and headers for whatever answer it gets."""
        self.requests[method] = self.requests.get(method, 0) + 1
        if self._struck(FaultKind.DEAD, method, request):
            return DroppedResponse(), {}
        client = request.client.host if request.client else ""
        is_allowed, headers = self.limiter.count(client, method)
        limited = self._struck(FaultKind.RATE_LIMIT, method, request)
        if limited is not None:
            headers |= {"ratelimit-remaining": "0", "retry-after": str(limited.retry_after_seconds)}
            headers["ratelimit-reset"] = str(int(time.time()) + limited.retry_after_seconds)
        if limited is not None or not is_allowed:
            return XrpcError("RateLimitExceeded", "Rate Limit Exceeded", 429).response(), headers
        failed = self._struck(FaultKind.HTTP_ERROR, method, request)
        if failed is not None:
            return XrpcError("InternalServerError", "Internal Server Error", failed.http_status).response(), headers
        return None, headers

    async def deliver(self, request: Request, method: str, response: Response) -> Response:
        """The answer as the host's faults let it through."""
        slow = self._struck(FaultKind.SLOW, method, request)
        if slow is not None:
            await asyncio.sleep(slow.delay_seconds)
        if response.status_code == 200 and method == GET_REPO:
            response = self._spoil(request, response)
        if slow is None or isinstance(response, BrokenResponse):
            return response
        return DrippingResponse(response, slow.delay_seconds)

    def _spoil(self, request: Request, response: Response) -> Response:
        if self._struck(FaultKind.CAR_TRUNCATED, GET_REPO, request):
            return car_response(cut_at_block(bytes(response.body)))
        if self._struck(FaultKind.FLIPPED_BYTE, GET_REPO, request):
            return car_response(flip_byte(bytes(response.body)))
        if self._struck(FaultKind.RESET, GET_REPO, request):
            return BrokenResponse(response.body, media_type=response.media_type)
        return response

    def _struck(self, kind: FaultKind, method: str, request: Request) -> Fault | None:
        did = request.query_params.get("did")
        for standing in self.faults:
            if standing.fault.kind is kind and standing.strike(method, did):
                return standing.fault
        return None
