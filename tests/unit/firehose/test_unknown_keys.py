"""Keys that are asked for while a batch waits: for how long, and of whom no more."""

import asyncio
import time

import orjson
import pyarrow as pa
import pytest

from tests.fakes.live_messages import NOW_MICROS, LiveAccount, frame_of, key_of, record_of
from zeppelin_pipeline.atproto.crypto import PrivateKey
from zeppelin_pipeline.firehose import unknown_keys
from zeppelin_pipeline.firehose.events import table_of
from zeppelin_pipeline.firehose.unknown_keys import UnknownKeys
from zeppelin_pipeline.firehose.unsigned import unsigned_rows
from zeppelin_pipeline.firehose.verify_frames import verify_frames
from zeppelin_pipeline.identity.resolver import DidResolver

WRONG = PrivateKey.from_bytes("p256", bytes(31) + b"\x09")
SLOW_HOSTS = [f"did:web:host{number}.slow.example" for number in range(6)]


class Network:
    """A directory that answers for every account, and hosts of did:web that never do."""

    def __init__(self, *, directory_seconds: float = 0.0) -> None:
        self.asked: list[str] = []
        self._directory_seconds = directory_seconds
        self.resolver = DidResolver(self._get_url, "https://plc.example.com")

    async def _get_url(self, url: str, _max_bytes: int) -> bytes:
        self.asked.append(url)
        await asyncio.sleep(self._directory_seconds if "plc.example" in url else 60)
        account = LiveAccount(url.removeprefix("https://plc.example.com/"))
        multibase = account.key.public_key.to_multibase()
        method = {"id": "#atproto", "type": "Multikey", "publicKeyMultibase": multibase}
        return orjson.dumps({"id": account.did, "verificationMethod": [method]})


def batch_of(*accounts: LiveAccount) -> pa.Table:
    """A commit of each, whose keys are not known."""
    frames = [frame_of("#commit", each.commit({key_of(1): record_of(1)})) for each in accounts]
    return table_of(verify_frames(frames, lambda _dids: {}, NOW_MICROS))


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unknown_keys, "_WEB_SECONDS", 0.05)


async def test_hosts_that_do_not_answer_hold_up_no_batch_for_long_nor_each_batch_anew():
    network = Network(directory_seconds=0.2)
    keys = UnknownKeys(network.resolver)
    started = time.monotonic()

    table, known = await keys.settle(batch_of(LiveAccount(), *map(LiveAccount, SLOW_HOSTS)))

    assert time.monotonic() - started < 5
    assert [each.document.did for each in known] == [LiveAccount().did]
    assert {did for did, _ in unsigned_rows(table).values()} == set(SLOW_HOSTS)
    await keys.settle(batch_of(*map(LiveAccount, SLOW_HOSTS)))
    asked = len(network.asked)
    await keys.settle(batch_of(*map(LiveAccount, SLOW_HOSTS)))
    assert len(network.asked) == asked


async def test_a_directory_that_does_not_answer_is_left_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(unknown_keys, "_DIRECTORY_SECONDS", 0.05)
    network = Network(directory_seconds=60)
    keys = UnknownKeys(network.resolver)
    accounts = [LiveAccount("did:plc:" + letter * 24) for letter in "abcdef"]

    for _ in range(2):
        _, known = await keys.settle(batch_of(*accounts))
        assert known == []

    assert len(network.asked) == len(accounts)


async def test_who_signs_wrongly_all_the_time_is_asked_for_later_each_time():
    network, now = Network(), [0.0]
    keys = UnknownKeys(network.resolver, lambda: now[0])
    asked: list[int] = []
    for now[0] in (0, 29, 31, 60, 92, 3_600, 100_000):
        table, _ = await keys.settle(batch_of(LiveAccount(key=WRONG), LiveAccount("did:plc:" + "b" * 24)))
        assert [did for did, _ in unsigned_rows(table).values()] == [LiveAccount().did], "others are asked for as ever"
        asked.append(sum(url.endswith(LiveAccount().did) for url in network.asked))

    assert asked == [1, 1, 2, 2, 3, 4, 5]


async def test_who_signs_rightly_again_is_remembered_no_more():
    network, now = Network(), [0.0]
    keys = UnknownKeys(network.resolver, lambda: now[0])
    for now[0], key in ((0, WRONG), (31, LiveAccount().key), (32, LiveAccount().key)):
        table, _ = await keys.settle(batch_of(LiveAccount(key=key)))

    assert unsigned_rows(table) == {}
    assert len(network.asked) == 3
