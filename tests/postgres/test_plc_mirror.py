"""The export of a PLC directory taken into lake and warehouse: whole, verified, resumable."""

import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.fakes.plc import OPERATOR, RECOVERY, did_key, did_of, key, operation, operation_json, signed, tombstone
from tests.fakes.plc_directory import MILLISECOND, FakeExport
from tests.postgres.test_load import count, one
from zeppelin_pipeline.atproto.datetimes import time_of
from zeppelin_pipeline.atproto.plc import PlcOperation, parse_operation
from zeppelin_pipeline.errors import CorruptStateError, UpstreamError
from zeppelin_pipeline.identity import plc_follow
from zeppelin_pipeline.identity.documents import parse_document
from zeppelin_pipeline.identity.mirror import PlcMirror
from zeppelin_pipeline.identity.plc_follow import FollowSettings, WindowResult, follow_window, read_progress
from zeppelin_pipeline.identity.resolver import ResolvedDid
from zeppelin_pipeline.lake import layout
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.warehouse.connection import read_key_space

URL = "https://plc.example.com"
START = 1_700_000_000_000_000
HOUR = 3600 * 1_000_000
MALLORY = key("mallory")


@pytest.fixture
def connection(postgres_url: str):
    with psycopg.connect(postgres_url, autocommit=True) as opened:
        yield opened


class Mirror:
    """The mirror under test, and the directory that it follows; pages are small."""

    def __init__(self, connection: psycopg.Connection, lake: Lake, page: int, window: int) -> None:
        self.connection = connection
        self.lake = lake
        self.export = FakeExport(page)
        self.settings = FollowSettings(window_operations=window, page_seconds=0)

    async def follow(self, window: int = 0) -> WindowResult:
        return await follow_window(self.connection, self.lake, URL, self.export.get_page, window, self.settings)

    def account(self, name: str, at_micros: int = START) -> PlcOperation:
        genesis = operation(handle=f"{name}.test", signing=key(name))
        self.export.add(did_of(genesis), genesis, at_micros)
        return genesis

    def handle(self, genesis: PlcOperation) -> str | None:
        query = "SELECT handle FROM identity JOIN actor ON id = actor_id WHERE did = %s"
        row = self.connection.execute(query, (did_of(genesis),)).fetchone()
        return None if row is None else row[0]

    def rejected(self) -> list[tuple[Any, ...]]:
        return self.connection.execute("SELECT did, reason FROM plc_rejected ORDER BY 1, 2").fetchall()

    def kept(self) -> list[str]:
        """The CIDs of all operations in the lake."""
        paths = self.lake.list(layout.PLC)
        return [cid for path in paths for cid in self.lake.open_parquet(path).read()["cid"].to_pylist()]


@pytest.fixture
def mirror(connection: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mirror:
    monkeypatch.setattr(plc_follow, "PAGE_OPERATIONS", 4)
    return Mirror(connection, Lake(str(tmp_path)), 4, 1000)


async def test_operations_that_share_a_millisecond_are_all_taken_in_once(mirror: Mirror):
    accounts = [mirror.account(f"a{number}", START + number // 3 * MILLISECOND) for number in range(20)]
    result = await mirror.follow()
    assert (result.added, result.operations, result.rejected) == (20, 20, 0)
    assert [mirror.handle(each) for each in accounts] == [f"a{number}.test" for number in range(20)]
    assert sorted(mirror.kept()) == sorted(line["cid"] for line in mirror.export.lines)


async def test_a_whole_page_of_one_millisecond_is_told_and_ends_the_run(mirror: Mirror):
    for number in range(9):
        mirror.account(f"a{number}")
    with pytest.raises(UpstreamError, match="plc-ties"):
        await mirror.follow()


async def test_a_directory_that_numbers_its_operations_is_asked_by_number(mirror: Mirror):
    mirror.export.is_numbered = True
    for number in range(9):
        mirror.account(f"a{number}")
    assert (await mirror.follow()).added == 9
    assert mirror.export.asked == [None, "3", "7"]


async def test_following_goes_on_where_it_was_and_adds_only_what_is_new(mirror: Mirror):
    alice = mirror.account("alice")
    await mirror.follow()
    assert (await mirror.follow()).added == 0
    assert len(mirror.lake.list(layout.PLC)) == 1
    mirror.export.add(did_of(alice), operation(alice, handle="new.test", signing=key("alice")), START + HOUR)
    assert (await mirror.follow()).added == 1
    assert mirror.handle(alice) == "new.test"
    progress = read_progress(mirror.connection)
    assert progress is not None
    assert progress.caught_up_at is not None


async def test_a_page_that_was_kept_but_not_stored_is_taken_from_the_lake(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
):
    class KilledError(Exception): ...

    def die(*_: Any) -> None:
        raise KilledError

    alice = mirror.account("alice")
    with monkeypatch.context() as patched:
        patched.setattr(plc_follow.PlcPage, "write", die)
        with pytest.raises(KilledError):
            await mirror.follow()
    assert count(mirror.connection, "plc_head") == 0
    assert len(mirror.kept()) == 1
    assert (await mirror.follow()).added == 1
    assert mirror.handle(alice) == "alice.test"
    assert len(mirror.kept()) == 1


async def test_a_complete_window_is_one_file_and_the_next_one_goes_on(mirror: Mirror):
    mirror.settings = FollowSettings(window_operations=8, page_seconds=0)
    for number in range(11):
        mirror.account(f"a{number}", START + number * MILLISECOND)
    with pytest.raises(CorruptStateError):
        await mirror.follow(1)
    first = await mirror.follow(0)
    assert first.is_complete
    assert mirror.lake.list(layout.PLC) == [layout.plc_window(0)]
    second = await mirror.follow(1)
    assert (first.operations + second.operations, second.is_complete) == (11, False)
    assert (await mirror.follow(0)).added == 0
    assert len(mirror.kept()) == 11


async def test_forged_operations_are_set_aside_with_their_reason_and_change_nothing(mirror: Mirror):
    alice, bob = mirror.account("alice"), mirror.account("bob")
    did, second = did_of(alice), operation(alice, handle="second.test", signing=key("alice"))
    mirror.export.add(did, operation(alice, signer=MALLORY, handle="mallory.test"), START + HOUR)
    mirror.export.add(did_of(bob), alice, START + HOUR)
    mirror.export.lines.append({"did": "did:web:example.com", "createdAt": "2023-11-15T00:00:00Z"})
    mirror.export.add(did, second, START + 2 * HOUR)
    mirror.export.lines.append(
        {"did": did, "operation": {"type": "odd"}, "cid": "x", "createdAt": "2026-01-01T00:00:00Z"}
    )
    result = await mirror.follow()
    assert mirror.handle(alice) == "second.test"
    assert mirror.handle(bob) == "bob.test"
    assert set(mirror.rejected()) == {
        (did, "plc-signature"),
        (did, "plc-shape"),
        (did_of(bob), "plc-prev-unknown"),
    }
    assert result.rejected == 4
    assert result.reasons["plc-line"] == 1


async def test_a_recovery_takes_back_the_handle_and_the_key(mirror: Mirror):
    alice = mirror.account("alice")
    theft = operation(alice, signer=OPERATOR, handle="stolen.test", signing=MALLORY)
    mirror.export.add(did_of(alice), theft, START + HOUR)
    await mirror.follow()
    assert mirror.handle(alice) == "stolen.test"
    assert count(mirror.connection, "former_key") == 1
    rescue = operation(alice, signer=RECOVERY, handle="alice.test", signing=key("alice"))
    mirror.export.add(did_of(alice), rescue, START + 2 * HOUR)
    assert (await mirror.follow()).recovered == 1
    assert mirror.handle(alice) == "alice.test"
    assert count(mirror.connection, "former_key") == 0


async def test_what_the_directory_calls_nullified_never_speaks_for_the_account(mirror: Mirror):
    alice = mirror.account("alice")
    theft = operation(alice, signer=OPERATOR, handle="stolen.test", signing=MALLORY)
    mirror.export.add(did_of(alice), theft, START + HOUR, nullified=True)
    await mirror.follow()
    assert mirror.handle(alice) == "alice.test"
    mirror.export.add(did_of(alice), operation(alice, signer=RECOVERY, handle="safe.test"), START + 2 * HOUR)
    await mirror.follow()
    assert mirror.handle(alice) == "safe.test"
    assert one(mirror.connection, "SELECT is_nullified FROM plc_head") == (False,)


async def test_a_tombstone_empties_the_identity_and_keeps_the_former_key(mirror: Mirror):
    alice = mirror.account("alice")
    mirror.export.add(did_of(alice), tombstone(alice), START + HOUR)
    await mirror.follow()
    assert one(mirror.connection, "SELECT handle, pds, signing_key FROM identity") == (None, None, None)
    former = one(mirror.connection, "SELECT signing_key, valid_from, valid_until FROM former_key")
    assert former == (did_key(key("alice")), time_of(START), time_of(START + HOUR))


@pytest.mark.parametrize("text", ["did:key:z\0", "did:key:z" + secrets.token_hex(4_000)], ids=["NUL", "long"])
async def test_a_key_that_is_none_is_replaced_and_not_remembered(mirror: Mirror, text: str):
    alice = mirror.account("alice")
    changed = operation_json(alice) | {"verificationMethods": {"atproto": text}}
    odd = parse_operation(signed({name: member for name, member in changed.items() if name != "sig"}, OPERATOR))
    for place, each in enumerate((odd, operation(odd, handle="new.test")), 1):
        mirror.export.add(did_of(alice), each, START + place * HOUR)

    await mirror.follow()

    assert mirror.handle(alice) == "new.test"
    assert one(mirror.connection, "SELECT signing_key FROM former_key") == (did_key(key("alice")),)


async def test_a_cid_that_no_index_could_hold_is_a_line_that_cannot_be_read(mirror: Mirror):
    alice, odd = mirror.account("alice"), operation(handle="odd.test")
    mirror.export.add(did_of(odd), odd, START)
    mirror.export.lines[-1]["cid"] = secrets.token_hex(4_000)

    result = await mirror.follow()

    assert result.reasons == {"plc-line": 1}
    assert mirror.handle(alice) == "alice.test"


async def test_a_dead_directory_raises_and_loses_nothing(mirror: Mirror):
    mirror.account("alice")
    mirror.export.is_down = True
    with pytest.raises(UpstreamError):
        await mirror.follow()
    mirror.export.is_down = False
    assert (await mirror.follow()).added == 1


async def test_the_mirror_answers_while_it_is_fresh_and_for_nothing_newer(mirror: Mirror, postgres_url: str):
    alice = mirror.account("alice")
    bob = mirror.account("bob")
    mirror.export.add(did_of(bob), tombstone(bob), START + HOUR)
    await mirror.follow()
    keys, now = read_key_space(mirror.connection), datetime.now(UTC)
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as connection:
        fresh = PlcMirror(connection, keys, timedelta(hours=1))
        found = await fresh.resolve(did_of(alice), now - timedelta(hours=1))
        assert found is not None
        assert found == ResolvedDid(parse_document(found.text, did_of(alice)), found.text)
        assert (found.document.handle, found.document.pds) == ("alice.test", "https://pds.test")
        assert await fresh.resolve(did_of(alice), now + timedelta(minutes=1)) is None
        assert await fresh.resolve("did:plc:" + "z" * 24, None) is None
        with pytest.raises(UpstreamError, match="did-gone"):
            await fresh.resolve(did_of(bob), None)
        assert await PlcMirror(connection, keys, timedelta(0)).resolve(did_of(alice), None) is None


async def test_a_former_key_is_given_for_the_time_in_which_it_was_the_accounts(mirror: Mirror, postgres_url: str):
    alice = mirror.account("alice")
    mirror.export.add(did_of(alice), operation(alice, signing=key("new")), START + HOUR)
    await mirror.follow()
    keys, old = read_key_space(mirror.connection), did_key(key("alice")).removeprefix("did:key:")
    moments = {START - 1: (), START: (old,), START + HOUR - 1: (old,), START + HOUR: ()}
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as connection:
        fresh = PlcMirror(connection, keys, timedelta(hours=1))
        for micros, former_keys in moments.items():
            found = await fresh.resolve(did_of(alice), time_of(micros))
            assert found is not None
            assert found.former_keys == former_keys
        whenever = await fresh.resolve(did_of(alice), None)
        assert whenever is not None
        assert whenever.former_keys == ()


async def test_a_mirror_whose_warehouse_is_away_sends_to_the_directory(mirror: Mirror, postgres_url: str):
    alice = mirror.account("alice")
    await mirror.follow()
    connection = await psycopg.AsyncConnection.connect(postgres_url, autocommit=True)
    lost = PlcMirror(connection, read_key_space(mirror.connection), timedelta(hours=1))
    await connection.close()
    assert await lost.resolve(did_of(alice), None) is None
