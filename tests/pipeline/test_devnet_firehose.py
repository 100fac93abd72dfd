"""The relay's firehose: commits that chain and are served, replay by cursor, and the errors of the event stream."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.pipeline.devnet_client import DevnetClient
from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.atproto.car import index_blocks
from zeppelin_pipeline.atproto.cid import cid_of
from zeppelin_pipeline.atproto.commit import decode_commit, verify_commit
from zeppelin_pipeline.atproto.frames import Frame, decode_frame
from zeppelin_pipeline.atproto.repository import open_repository
from zeppelin_pipeline.devnet.background import DevnetHandle, running_devnet
from zeppelin_pipeline.devnet.firehose import Firehose
from zeppelin_pipeline.devnet.model import AccountStatus, DevnetConfig, LiveConfig
from zeppelin_pipeline.devnet.serving import SEND_MESSAGES

EVENTS = 400
LIVE = LiveConfig(
    events_per_second=800.0,
    identity_share=0.05,
    account_share=0.05,
    sync_share=0.05,
    last_seq=EVENTS,
)
CONFIG = DevnetConfig(repos=12, hosts=2, seed=9, mean_records=40.0, inactive_share=0.0, live=LIVE)


@pytest.fixture(scope="module")
def devnet() -> Iterator[DevnetHandle]:
    with running_devnet(CONFIG) as handle:
        yield handle


@pytest.fixture(scope="module")
def events(devnet: DevnetHandle) -> list[Frame]:
    """All events, from the first."""
    with subscribe(devnet, 0) as socket:
        return [next_frame(socket) for _ in range(EVENTS)]


@pytest.fixture(scope="module")
def client() -> Iterator[DevnetClient]:
    with httpx2.Client(timeout=20) as http:
        yield DevnetClient(http)


def subscribe(devnet: DevnetHandle, cursor: int | None = None) -> ClientConnection:
    query = "" if cursor is None else f"?cursor={cursor}"
    url = devnet.relay_url.replace("http:", "ws:")
    return connect(f"{url}/xrpc/com.atproto.sync.subscribeRepos{query}", max_size=8_000_000)


def next_frame(socket: ClientConnection) -> Frame:
    data = socket.recv(timeout=20)
    assert isinstance(data, bytes)
    return decode_frame(data)


def bodies(events: list[Frame], kind: str) -> list[dict[str, Any]]:
    return [event.body for event in events if event.t == kind]


def test_sequence_numbers_rise_by_one_and_all_kinds_occur(events: list[Frame]):
    assert [event.body["seq"] for event in events] == list(range(1, EVENTS + 1))
    kinds = Counter(event.t for event in events)
    assert set(kinds) == {"#commit", "#sync", "#identity", "#account"}
    actions = Counter(op["action"] for body in bodies(events, "#commit") for op in body["ops"])
    assert set(actions) == {"create", "update", "delete"}


def test_each_commit_follows_the_one_before_it_and_verifies(devnet: DevnetHandle, events: list[Frame]):
    last: dict[str, tuple[str, bytes]] = {}
    for body in bodies(events, "#commit"):
        _, places = index_blocks(body["blocks"])
        blocks = {cid: body["blocks"][start:end] for cid, (start, end) in places.items()}
        assert all(cid_of(block) == cid for cid, block in blocks.items())
        commit = decode_commit(blocks[body["commit"]])
        assert (commit.did, commit.rev) == (body["repo"], body["rev"])
        assert verify_commit(commit, devnet.signing_key_of(body["repo"]))
        if body["repo"] in last:
            assert (body["since"], body["prevData"]) == last[body["repo"]]
        for op in body["ops"]:
            assert (op["cid"] is None) == (op["action"] == "delete")
            assert ("prev" in op) == (op["action"] != "create")
            assert op["cid"] is None or dag_cbor.decode(blocks[op["cid"]])["$type"] == op["path"].partition("/")[0]
        last[body["repo"]] = (commit.rev, commit.data)


def test_what_the_hosts_serve_is_the_seeded_state_with_all_events_applied(
    devnet: DevnetHandle, client: DevnetClient, events: list[Frame]
):
    with running_devnet(DevnetConfig(repos=12, hosts=2, seed=9, mean_records=40.0, inactive_share=0.0)) as seeded:
        states = {
            account.did: {record.key.decode(): record.cid for record in seeded.records_of(account.did)}
            for account in seeded.accounts()
        }
    for body in bodies(events, "#commit"):
        for op in body["ops"]:
            if op["cid"] is None:
                del states[body["repo"]][op["path"]]
            else:
                states[body["repo"]][op["path"]] = op["cid"]
    for account in devnet.accounts():
        expected = [(key.encode(), cid) for key, cid in sorted(states[account.did].items())]
        assert [(record.key, record.cid) for record in devnet.records_of(account.did)] == expected
        if devnet.status_of(account.did) is AccountStatus.ACTIVE:
            opened = open_repository(client.car(devnet.hosts[account.host].url, account))
            assert opened.entries == expected
            assert opened.commit.rev == devnet.rev_of(account.did)


def test_accounts_and_handles_are_as_last_announced(devnet: DevnetHandle, client: DevnetClient, events: list[Frame]):
    is_active = {body["did"]: body["active"] for body in bodies(events, "#account")}
    for did, expected in is_active.items():
        assert (devnet.status_of(did) is AccountStatus.ACTIVE) == expected
    handles = {body["did"]: body["handle"] for body in bodies(events, "#identity")}
    assert handles
    for did, handle in handles.items():
        assert client.http.get(f"{devnet.plc_url}/{did}").json()["alsoKnownAs"] == [f"at://{handle}"]


def test_a_sync_states_the_commit_before_it_again(events: list[Frame]):
    heads: dict[str, bytes] = {}
    checked = 0
    for event in events:
        if event.t == "#commit":
            heads[event.body["repo"]] = event.body["commit"]
        if event.t == "#sync" and event.body["did"] in heads:
            root, _ = index_blocks(event.body["blocks"])
            assert root == heads[event.body["did"]]
            checked += 1
    assert checked


def test_a_cursor_replays_what_came_after_it(devnet: DevnetHandle, events: list[Frame]):
    with subscribe(devnet, 150) as socket:
        replayed = [next_frame(socket) for _ in range(EVENTS - 150)]
    assert replayed == events[150:]


def test_changes_since_a_revision_are_served_as_a_diff(devnet: DevnetHandle, client: DevnetClient, events: list[Frame]):
    by_repo = Counter(body["repo"] for body in bodies(events, "#commit"))
    account = next(
        account
        for account in devnet.accounts()
        if by_repo[account.did] > 3 and devnet.status_of(account.did) is AccountStatus.ACTIVE
    )
    since = [body["rev"] for body in bodies(events, "#commit") if body["repo"] == account.did][-3]
    url = devnet.hosts[account.host].url
    root, changed = index_blocks(client.car(url, account, since=since))
    whole = open_repository(client.car(url, account))
    assert root == whole.commit_cid
    assert 0 < len(changed) < len(whole.blocks)
    assert set(changed) <= set(whole.blocks)


def test_a_cursor_in_the_future_is_an_error(devnet: DevnetHandle, events: list[Frame]):
    with subscribe(devnet, len(events) + 1000) as socket:
        refused = next_frame(socket)
        assert (refused.op, refused.body["error"]) == (-1, "FutureCursor")
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=20)


def test_a_cursor_before_the_backlog_is_told_that_it_is_outdated():
    live = LiveConfig(events_per_second=2000.0, backlog_events=50, last_seq=200)
    config = DevnetConfig(repos=5, hosts=1, mean_records=10.0, inactive_share=0.0, live=live)
    with running_devnet(config) as devnet:
        wait_until(lambda: devnet.last_seq() == 200)
        with subscribe(devnet, 10) as socket:
            info, *replayed = [next_frame(socket) for _ in range(51)]
    assert (info.t, info.body["name"]) == ("#info", "OutdatedCursor")
    assert [event.body["seq"] for event in replayed] == list(range(151, 201))


def test_without_a_cursor_only_what_is_new_arrives():
    live = LiveConfig(events_per_second=300.0)
    with running_devnet(DevnetConfig(repos=5, hosts=1, mean_records=10.0, live=live)) as devnet:
        wait_until(lambda: devnet.last_seq() > 50)
        with subscribe(devnet) as socket:
            first = next_frame(socket)
            assert first.body["seq"] > 50
            assert next_frame(socket).body["seq"] == first.body["seq"] + 1


async def test_a_consumer_that_falls_behind_is_dropped():
    firehose = Firehose(LiveConfig(queue_events=3))
    consumer = StuckConsumer()
    serving = asyncio.create_task(firehose.serve(consumer))  # type: ignore[arg-type]  # a fake of the parts in use
    await consumer.is_accepted.wait()
    await asyncio.sleep(0)
    firehose.publish(lambda seq: b"%d" % seq)
    await consumer.is_sending.wait()
    for _ in range(10):
        firehose.publish(lambda seq: b"%d" % seq)
    consumer.may_go_on.set()
    await asyncio.wait_for(serving, 5)
    assert consumer.sent[0] == b"1"
    assert decode_frame(consumer.sent[1]).body["error"] == "ConsumerTooSlow"
    assert consumer.close_code is not None


class StuckConsumer:
    """A WebSocket whose first frame takes until it is told to go on."""

    def __init__(self) -> None:
        self.query_params: dict[str, str] = {}
        self.is_accepted, self.is_sending, self.may_go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.sent: list[bytes] = []
        self.close_code: int | None = None
        self.scope = {"extensions": {SEND_MESSAGES: {"send": self.send_messages}}}

    async def accept(self) -> None:
        self.is_accepted.set()

    async def receive(self) -> dict[str, str]:
        await asyncio.Event().wait()
        return {"type": "websocket.disconnect"}

    async def send_bytes(self, data: bytes) -> None:
        await self.send_messages([data])

    async def send_messages(self, messages: Sequence[bytes]) -> None:
        self.sent += messages
        self.is_sending.set()
        await self.may_go_on.wait()

    async def close(self, code: int, reason: str) -> None:
        self.close_code = code


def wait_until(is_reached: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not is_reached():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_rate_of_a_running_network_is_set_over_http() -> None:
    with running_devnet(DevnetConfig(repos=4, hosts=1, seed=9, mean_records=10.0)) as quiet:
        url = f"{quiet.relay_url}/_devnet/live"
        assert httpx2.get(url).json() == {"events_per_second": 0.0, "made": 0}
        for wrong in (b"no JSON", b"[]", b'{"events_per_second": -1}', b'{"events_per_second": "many"}'):
            assert httpx2.post(url, content=wrong).status_code == 400
        httpx2.post(url, json={"events_per_second": 50}).raise_for_status()
        wait_until(lambda: quiet.last_seq() >= 5, seconds=30)
