"""Where a DID's document is asked for, and what each answer means."""

from datetime import UTC, datetime

import pytest

from zeppelin_pipeline.errors import InvalidDataError, UpstreamError
from zeppelin_pipeline.identity.documents import DidDocument
from zeppelin_pipeline.identity.resolver import DidResolver, ResolvedDid

PLC = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"


class FakeWeb:
    """URL to body, or to an error's reason."""

    def __init__(self, **answers: bytes | str) -> None:
        self.answers = answers
        self.asked: list[tuple[str, int]] = []

    async def get_url(self, url: str, max_bytes: int) -> bytes:
        self.asked.append((url, max_bytes))
        answer = self.answers["any"]
        if isinstance(answer, str):
            raise UpstreamError(answer, "said so", is_transient=answer == "timeout")
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
        (PLC, "http-404", "did-gone"),
        (PLC, "http-410", "did-gone"),
        (PLC, "http-503", "http-503"),
        (PLC, "timeout", "timeout"),
        ("did:web:example.com", "http-404", "http-404"),
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
    monkeypatch.setattr("zeppelin_pipeline.identity.resolver.time.monotonic", lambda: clock[0])
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
