"""Keys that are asked for while a batch waits: for how long, and of whom no more."""

import asyncio
import time

import orjson
import pyarrow as pa
import pytest

from tests.fakes.live_messages import NOW_MICROS, LiveAccount, frame_of, key_of, record_of
from zeppelin_pipeline.firehose import unknown_keys
from zeppelin_pipeline.firehose.events import table_of
from zeppelin_pipeline.firehose.unknown_keys import settle_signatures
from zeppelin_pipeline.firehose.unsigned import unsigned_rows
from zeppelin_pipeline.firehose.verify_frames import verify_frames
from zeppelin_pipeline.identity.resolver import DidResolver

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
    started = time.monotonic()

    table, known = await settle_signatures(batch_of(LiveAccount(), *map(LiveAccount, SLOW_HOSTS)), network.resolver)

    assert time.monotonic() - started < 5
    assert [each.document.did for each in known] == [LiveAccount().did]
    assert {did for did, _ in unsigned_rows(table).values()} == set(SLOW_HOSTS)
    await settle_signatures(batch_of(*map(LiveAccount, SLOW_HOSTS)), network.resolver)
    asked = len(network.asked)
    await settle_signatures(batch_of(*map(LiveAccount, SLOW_HOSTS)), network.resolver)
    assert len(network.asked) == asked


async def test_a_directory_that_does_not_answer_is_left_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(unknown_keys, "_DIRECTORY_SECONDS", 0.05)
    network = Network(directory_seconds=60)
    accounts = [LiveAccount("did:plc:" + letter * 24) for letter in "abcdef"]

    for _ in range(2):
        _, known = await settle_signatures(batch_of(*accounts), network.resolver)
        assert known == []

    assert len(network.asked) == len(accounts)
