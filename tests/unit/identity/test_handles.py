"""Which DID a handle names, by each way of asking; and what an answer makes of it."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from zeppelin_pipeline.errors import UpstreamError
from zeppelin_pipeline.identity.domains import registrable_domain
from zeppelin_pipeline.identity.handle_queue import DueHandle, State, judge
from zeppelin_pipeline.identity.handles import Claim, HandleResolver, HandleSettings

ALICE, BOB = "did:plc:" + "a" * 24, "did:plc:" + "b" * 24
NOW = datetime(2026, 11, 1, tzinfo=UTC)
MONTH = timedelta(days=30)


class FakeInternet:
    """TXT records by name and bodies by URL; what is missing is unknown, what is in `silent` does not answer."""

    def __init__(self) -> None:
        self.txt: dict[str, list[str]] = {}
        self.bodies: dict[str, bytes] = {}
        self.silent: set[str] = set()
        self.asked: Counter[str] = Counter()
        self.at_once = self.most_at_once = 0

    async def look_up(self, name: str) -> list[str]:
        self.asked[name] += 1
        if name in self.silent:
            raise UpstreamError("dns-timeout", name, is_transient=True)
        return self.txt.get(name, [])

    async def get_url(self, url: str, max_bytes: int) -> bytes:
        self.asked[url] += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if any(name in url for name in self.silent):
            raise UpstreamError("timeout", url, is_transient=True)
        if url not in self.bodies:
            raise UpstreamError("http-404", url, is_transient=False)
        return self.bodies[url]


@pytest.fixture
def internet() -> FakeInternet:
    return FakeInternet()


def resolver_over(internet: FakeInternet, **settings: object) -> HandleResolver:
    chosen = {"resolvers": {}, "domain_per_second": 1e6} | settings
    return HandleResolver(internet.look_up, internet.get_url, HandleSettings(**chosen))  # pyright: ignore[reportArgumentType]


async def test_dns_names_the_account(internet: FakeInternet):
    internet.txt["_atproto.alice.com"] = ["v=spf1", f"did={ALICE}"]
    assert await resolver_over(internet).resolve("alice.com") == Claim(ALICE)
    assert "https://alice.com/.well-known/atproto-did" not in internet.asked


async def test_https_names_the_account_where_dns_does_not(internet: FakeInternet):
    internet.bodies["https://alice.com/.well-known/atproto-did"] = f"{ALICE}\n".encode()
    assert await resolver_over(internet).resolve("alice.com") == Claim(ALICE)


async def test_texts_that_name_several_accounts_name_nobody(internet: FakeInternet):
    internet.txt["_atproto.alice.com"] = [f"did={ALICE}", f"did={BOB}"]
    internet.bodies["https://alice.com/.well-known/atproto-did"] = ALICE.encode()
    assert await resolver_over(internet).resolve("alice.com") == Claim(None, "handle-ambiguous")


@pytest.mark.parametrize("body", [b"<html>", b"", b"did:plc", b"\xff\xfe"])
async def test_a_body_that_is_no_did_names_nobody(internet: FakeInternet, body: bytes):
    internet.bodies["https://alice.com/.well-known/atproto-did"] = body
    assert await resolver_over(internet).resolve("alice.com") == Claim(None, "handle-none")


async def test_silence_is_told_from_a_no(internet: FakeInternet):
    internet.silent = {"_atproto.alice.com", "bob.com"}
    resolver = resolver_over(internet)
    assert await resolver.resolve("alice.com") == Claim(None, "dns-timeout", is_transient=True)
    assert await resolver.resolve("bob.com") == Claim(None, "timeout", is_transient=True)
    assert await resolver.resolve("carol.com") == Claim(None, "handle-none")


@pytest.mark.parametrize("handle", ["handle.invalid", "alice.local", "alice.test", "alice.onion"])
async def test_reserved_names_are_not_asked_for(internet: FakeInternet, handle: str):
    assert (await resolver_over(internet).resolve(handle)).reason == "handle-reserved"
    assert not internet.asked


async def test_handles_below_a_hosts_domain_are_asked_of_its_resolver_alone(internet: FakeInternet):
    url = "https://host.com/xrpc/com.atproto.identity.resolveHandle?handle=alice.host.com"
    internet.bodies[url] = b'{"did": "%s"}' % ALICE.encode()
    resolver = resolver_over(internet, resolvers={"host.com": "https://host.com"})
    assert await resolver.resolve("alice.host.com") == Claim(ALICE)
    assert (await resolver.resolve("bob.host.com")).reason == "handle-none"
    assert "_atproto.bob.host.com" not in internet.asked
    await resolver.resolve("host.com")
    assert "_atproto.host.com" in internet.asked


async def test_a_dead_domain_is_given_up_and_others_are_asked(internet: FakeInternet):
    internet.silent = {"dead.com"}
    internet.bodies["https://alice.com/.well-known/atproto-did"] = ALICE.encode()
    resolver = resolver_over(internet, breaker_failures=3, domain_in_flight=1)
    claims = await asyncio.gather(*(resolver.resolve(f"a{number}.dead.com") for number in range(50)))
    assert sum(claim.reason == "timeout" for claim in claims) == 3
    assert all(claim.is_transient for claim in claims)
    assert (await resolver.resolve("alice.com")).did == ALICE


async def test_a_domain_is_asked_a_few_times_at_once(internet: FakeInternet):
    resolver = resolver_over(internet, domain_in_flight=3)
    await asyncio.gather(*(resolver.resolve(f"a{number}.many.com") for number in range(40)))
    assert internet.most_at_once == 3


async def test_handles_that_dns_answers_are_not_limited_as_those_of_one_host(internet: FakeInternet):
    internet.txt = {f"_atproto.a{number}.many.com": [f"did={ALICE}"] for number in range(200)}
    resolver = resolver_over(internet, domain_per_second=0.001, domain_in_flight=1)
    claims = await asyncio.gather(*(resolver.resolve(f"a{number}.many.com") for number in range(200)))
    assert claims == [Claim(ALICE)] * 200


async def test_handles_that_a_host_has_no_time_for_are_put_off_one_after_another(internet: FakeInternet):
    resolver = resolver_over(internet, domain_per_second=10.0, domain_wait_seconds=0.15, domain_in_flight=9)
    internet.bodies["https://alice.com/.well-known/atproto-did"] = ALICE.encode()
    handles = [f"a{number}.many.com" for number in range(30)]
    *claims, other = await asyncio.gather(*map(resolver.resolve, [*handles, "alice.com"]))
    busy = [claim for claim in claims if claim.reason == "domain-busy"]
    assert (len(busy), other.did) == (28, ALICE)
    assert sum(url.startswith("https://a") and "many.com" in url for url in internet.asked) == 2
    waits = [claim.wait_seconds for claim in busy]
    assert waits == sorted(waits)
    assert 2.5 < waits[-1] - waits[0] < 2.9


def test_a_handle_that_is_put_off_keeps_what_is_known_of_it():
    claim = Claim(None, "domain-busy", is_transient=True, wait_seconds=60.0)
    verdict = judge(due("verified", 2), claim, NOW, MONTH)
    assert (verdict.state, verdict.failures, verdict.check_at) == ("verified", 2, NOW + timedelta(minutes=1))


def test_the_limits_of_a_handle_are_those_of_its_last_two_labels():
    assert registrable_domain("a.b.example.com") == "example.com"


def due(state: State = "pending", failures: int = 0) -> DueHandle:
    return DueHandle(1, ALICE, "alice.com", state, failures)


def test_a_handle_that_names_the_account_is_verified_and_looked_at_again_within_the_interval():
    verdict = judge(due(failures=3), Claim(ALICE), NOW, MONTH)
    assert (verdict.state, verdict.verified_at, verdict.failures) == ("verified", NOW, 0)
    assert MONTH * 0.8 <= verdict.check_at - NOW <= MONTH


def test_a_handle_that_names_another_account_is_invalid_at_once():
    verdict = judge(due("verified"), Claim(BOB), NOW, MONTH)
    assert (verdict.state, verdict.verified_at) == ("invalid", None)


def test_silence_leaves_a_verified_handle_as_it_is_and_asks_ever_later_until_it_is_invalid():
    state, checks = "verified", list[timedelta]()
    for failures in range(10):
        verdict = judge(due(state, failures), Claim(None, "timeout", is_transient=True), NOW, MONTH)
        state = verdict.state
        checks.append(verdict.check_at - NOW)
        assert state == ("verified" if failures < 9 else "invalid")
    assert checks == sorted(checks)
    assert sum(checks, timedelta()) > timedelta(days=2)
