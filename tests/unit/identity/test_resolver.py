"""Where a DID's document is asked for, and what each answer means."""

import asyncio
from datetime import UTC, datetime

import pytest

from zeppelin_pipeline.errors import InvalidDataError, UpstreamError
from zeppelin_pipeline.hosts.client import ClientSettings, HostClients
from zeppelin_pipeline.hosts.limits import RetryPolicy
from zeppelin_pipeline.identity.documents import DidDocument
from zeppelin_pipeline.identity.resolver import DidResolver, ResolvedDid

PLC = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"


class FakeWeb:
    """URL to body, or to an error's reason and what it says."""

    def __init__(self, **answers: bytes | str) -> None:
        self.answers = answers
        self.asked: list[tuple[str, int]] = []

    async def get_url(self, url: str, max_bytes: int) -> bytes:
        self.asked.append((url, max_bytes))
        answer = self.answers["any"]
        if isinstance(answer, str):
            reason, _, said = answer.partition(" ")
            raise UpstreamError(reason, said, is_transient=reason == "timeout")
        return answer


async def test_a_document_comes_with_its_text() -> None:
    web = FakeWeb(any=b'{"id": "%s"}' % PLC.encode())
    resolved = await DidResolver(web.get_url, "https://plc.example.com/").resolve(PLC)
    assert resolved.document.did == PLC
    assert resolved.text == f'{{"id": "{PLC}"}}'
    assert web.asked == [(f"https://plc.example.com/{PLC}", 65_536)]


@pytest.mark.parametrize(
    ("did", "url"),
    [
        (PLC, f"https://plc.example.com/{PLC}"),
        ("did:web:example.com", "https://example.com/.well-known/did.json"),
        ("did:web:localhost%3A2583", "https://localhost:2583/.well-known/did.json"),
    ],
)
def test_each_method_has_its_place(did: str, url: str) -> None:
    assert DidResolver(FakeWeb().get_url, "https://plc.example.com").document_url(did) == url


def test_a_test_network_asks_localhost_by_http() -> None:
    resolver = DidResolver(FakeWeb().get_url, "http://localhost:1", allow_http=True)
    assert resolver.document_url("did:web:localhost%3A2583") == "http://localhost:2583/.well-known/did.json"
    assert resolver.document_url("did:web:example.com") == "https://example.com/.well-known/did.json"


@pytest.mark.parametrize(
    ("did", "reason"),
    [
        ("", "did-syntax"),
        ("did:plc:../../x", "did-syntax"),
        ("did:web:example.com/path", "did-syntax"),
        ("did:web:example.com:path", "did-method"),
        ("did:web:example.com%3A8443", "did-method"),
        ("did:web:example.com%2Fpath", "did-method"),
        ("did:web:user%40example.com", "did-method"),
        ("did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme", "did-method"),
    ],
)
async def test_a_did_that_names_no_place_is_refused(did: str, reason: str) -> None:
    web = FakeWeb()
    with pytest.raises(InvalidDataError) as caught:
        await DidResolver(web.get_url, "https://plc.example.com").resolve(did)
    assert caught.value.reason == reason
    assert web.asked == []


@pytest.mark.parametrize(
    ("did", "answer", "reason"),
    [
        (PLC, f"http-404 DID not registered: {PLC}", "did-gone"),
        (PLC, f"http-410 DID not available: {PLC}", "did-gone"),
        (PLC, "http-404 a page of another server", "http-404"),
        (PLC, "http-503", "http-503"),
        (PLC, "timeout", "timeout"),
        ("did:web:example.com", "http-404 did:web:example.com", "http-404"),
    ],
)
async def test_only_the_directory_can_say_that_an_account_is_gone(did: str, answer: str, reason: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        await DidResolver(FakeWeb(any=answer).get_url, "https://plc.example.com").resolve(did)
    assert caught.value.reason == reason


async def test_the_document_of_another_account_is_refused() -> None:
    with pytest.raises(InvalidDataError, match="did-document"):
        await DidResolver(FakeWeb(any=b'{"id": "did:web:other.example"}').get_url, "https://p.example").resolve(PLC)


async def test_a_mirror_is_asked_first_and_the_directory_for_what_it_lacks() -> None:
    web = FakeWeb(any=b'{"id": "%s"}' % PLC.encode())
    mirrored: list[tuple[str, datetime | None]] = []

    async def ask_mirror(did: str, since: datetime | None) -> ResolvedDid | None:
        mirrored.append((did, since))
        return ResolvedDid(DidDocument(did, handle="mirrored.test"), "{}") if since is None else None

    resolver = DidResolver(web.get_url, "https://plc.example.com", ask_mirror=ask_mirror)
    assert (await resolver.resolve(PLC)).document.handle == "mirrored.test"
    assert web.asked == []
    now = datetime(2026, 11, 1, tzinfo=UTC)
    assert (await resolver.resolve(PLC, since=now)).document.handle is None
    assert mirrored == [(PLC, None), (PLC, now)]


async def test_a_dead_directory_is_left_alone_after_a_few_failures() -> None:
    web = FakeWeb(any="timeout")
    resolver = DidResolver(web.get_url, "https://plc.example.com")
    reasons: list[str] = []
    for _ in range(20):
        with pytest.raises(UpstreamError) as caught:
            await resolver.resolve(PLC)
        reasons.append(caught.value.reason)
    assert reasons == ["timeout"] * 5 + ["directory-down"] * 15
    assert len(web.asked) == 5


async def test_a_directory_that_is_back_is_noticed_by_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    web, clock = FakeWeb(any="timeout"), [1000.0]
    monkeypatch.setattr("zeppelin_pipeline.identity.domains.time.monotonic", lambda: clock[0])
    resolver = DidResolver(web.get_url, "https://plc.example.com")
    for _ in range(5):
        with pytest.raises(UpstreamError, match="timeout"):
            await resolver.resolve(PLC)
    clock[0] += 31
    for reason in ("timeout", "directory-down", "directory-down"):
        with pytest.raises(UpstreamError, match=reason):
            await resolver.resolve(PLC)
    clock[0] += 31
    web.answers["any"] = b'{"id": "%s"}' % PLC.encode()
    for _ in range(3):
        assert (await resolver.resolve(PLC)).document.did == PLC
    assert len(web.asked) == 5 + 1 + 3


WEB = "did:web:alice.example.com"


def web_document(did: str) -> bytes:
    return b'{"id": "%s"}' % did.encode()


async def test_a_document_of_did_web_does_for_others_for_a_while_and_never_for_what_was_signed_since() -> None:
    web = FakeWeb(any=web_document(WEB))
    resolver = DidResolver(web.get_url, "https://plc.example.com", web_seconds=600)
    before = datetime.now(UTC)
    for since in (None, None, before):
        assert (await resolver.resolve(WEB, since=since)).document.did == WEB
    assert len(web.asked) == 1
    await resolver.resolve(WEB, since=datetime.now(UTC))
    assert len(web.asked) == 2
    asking_each_time = DidResolver(web.get_url, "https://plc.example.com")
    for _ in range(2):
        await asking_each_time.resolve(WEB)
    assert len(web.asked) == 4


async def test_hosts_of_one_domain_that_are_down_are_left_alone_and_others_are_not() -> None:
    asked: list[str] = []

    async def get_url(url: str, _max_bytes: int) -> bytes:
        asked.append(url)
        if "evil" in url:
            raise UpstreamError("connect", "down", is_transient=True)
        return web_document("did:web:good.example.com")

    resolver = DidResolver(get_url, "https://plc.example.com")
    reasons: list[str] = []
    for number in range(10):
        with pytest.raises(UpstreamError) as caught:
            await resolver.resolve(f"did:web:n{number}.evil.example")
        reasons.append(caught.value.reason)
    assert reasons == ["connect"] * 5 + ["did-web-down"] * 5
    assert (await resolver.resolve("did:web:good.example.com")).document.did == "did:web:good.example.com"
    assert len(asked) == 6


async def test_a_domain_has_a_few_requests_at_once_and_a_slow_host_a_short_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("zeppelin_pipeline.identity.web_documents._LONGEST_SECONDS", 0.1)
    in_flight, most = 0, 0

    async def get_url(_url: str, _max_bytes: int) -> bytes:
        nonlocal in_flight, most
        in_flight += 1
        most = max(most, in_flight)
        try:
            await asyncio.sleep(60)
        finally:
            in_flight -= 1
        return b""

    resolver = DidResolver(get_url, "https://plc.example.com")
    asking = (resolver.resolve(f"did:web:n{number}.slow.example") for number in range(12))
    ended = await asyncio.wait_for(asyncio.gather(*asking, return_exceptions=True), 10)
    assert most == 4
    assert {each.reason for each in ended if isinstance(each, UpstreamError)} == {"timeout", "did-web-down"}


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "localhost"])
async def test_a_did_web_of_a_private_address_is_not_asked(host: str) -> None:
    async with HostClients(ClientSettings(retry=RetryPolicy(attempts=1))) as clients:
        with pytest.raises(UpstreamError, match="address-refused"):
            await DidResolver(clients.get_url, "https://plc.example.com").resolve(f"did:web:{host}")
