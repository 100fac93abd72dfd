"""The fetch of a shard: each outcome with its type, nothing twice, nothing lost by a kill, no host delayed."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.http_host import Reply, error_reply
from tests.fakes.listings import write_listing
from tests.fakes.pds import REV, FakePds, make_account, running_pds
from tests.pipeline.extract_repositories import Account
from zeppelin_pipeline.atproto.car import read_car
from zeppelin_pipeline.atproto.cid import cid_of
from zeppelin_pipeline.hosts.client import ClientSettings, HostClients, Timeouts
from zeppelin_pipeline.hosts.limits import RetryPolicy
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.fetch import FetchResult, fetch_shard
from zeppelin_pipeline.repos.fetch_outcome import OutcomeCounts
from zeppelin_pipeline.repos.fetch_settings import FetchSettings
from zeppelin_pipeline.repos.pack import PackRow, PackSettings, PackWriter, pack_rows
from zeppelin_pipeline.repos.plan import PlanSettings, plan_shards

CLIENTS = ClientSettings(
    allow_private=True, retry=RetryPolicy(attempts=3, base_seconds=0.001), timeouts=Timeouts(read=0.5, whole=2)
)
SETTINGS = FetchSettings(breaker_failures=3, breaker_seconds=0)
SHARD = "tail~00000"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path))


async def plan(lake: Lake, *hosts: FakePds) -> None:
    for pds in hosts:
        write_listing(lake, pds.host.url, dict.fromkeys(pds.accounts, REV))

    async def resolve(_did: str) -> str | None:
        return None

    await plan_shards(lake, resolve, PlanSettings(tail_limit=1000))


async def fetch(
    lake: Lake,
    directory: FakePds,
    settings: FetchSettings = SETTINGS,
    *,
    clients_by: ClientSettings = CLIENTS,
    **named: Any,
) -> FetchResult:
    async with HostClients(clients_by) as clients:
        return await fetch_shard(lake, SHARD, clients, directory.resolver(clients), settings, **named)


def rows_of(lake: Lake) -> dict[str, PackRow]:
    return {row.did: replace(row, car=None if row.car is None else bytes(row.car)) for row in pack_rows(lake, SHARD)}


def accounts(count: int, start: int = 0) -> list[Account]:
    return [make_account(number) for number in range(start, start + count)]


def cut_at_a_block(account: Account) -> bytes:
    """The account's CAR without its last block: good framing, a record is missing."""
    car = account.car()
    *_, (cid, start, _) = read_car(car)[1]
    return car[: start - len(cid) - 1]


async def test_each_repository_is_stored_whole_with_its_document(lake: Lake) -> None:
    async with running_pds(accounts(20)) as pds:
        await plan(lake, pds)
        result = await fetch(lake, pds)
        assert (result.repos, result.settled_before, result.fetched) == (20, 0, 20)
        assert (result.absent, result.failed, result.parts) == ({}, {}, 1)
        rows = rows_of(lake)
        for did, account in pds.accounts.items():
            row = rows[did]
            assert (row.state, row.reason, row.rev, row.host) == ("fetched", None, REV, pds.host.key)
            assert row.car == account.car()
            assert row.did_document == pds.document_of(did)
        assert result.downloaded_bytes == sum(len(account.car()) for account in pds.accounts.values())


async def test_each_outcome_is_stored_with_its_type(lake: Lake) -> None:
    made = accounts(12)
    lasting = {
        0: (error_reply(400, "RepoTakendown"), "absent", "takendown"),
        1: (error_reply(400, "RepoSuspended"), "absent", "suspended"),
        2: (error_reply(400, "RepoDeactivated"), "absent", "deactivated"),
        3: (error_reply(400, "RepoNotFound"), "absent", "not-found"),
        4: (Reply(b"", 404), "failed", "http-404"),
        5: (Reply(b"", 503), "failed", "http-503"),
        6: (Reply(made[6].car(), cut_after=50), "failed", "reset"),
        7: (Reply(cut_at_a_block(made[7])), "failed", "record-missing-block"),
        8: (Reply(made[8].car()[:-3]), "failed", "car-truncated"),
        9: (Reply(b"<html>"), "failed", "car-truncated"),
        10: (Reply(made[0].car()), "failed", "commit-other-did"),
    }
    async with running_pds(made) as pds:
        await plan(lake, pds)
        for number, (reply, _, _) in lasting.items():
            pds.faults[made[number].did] = [reply] * 10
        result = await fetch(lake, pds, replace(SETTINGS, breaker_failures=1000))
        rows = rows_of(lake)
        assert result.fetched == 1
        for number, (reply, state, reason) in lasting.items():
            row = rows[made[number].did]
            assert (number, row.state, row.reason) == (number, state, reason)
            # A damaged body that arrived whole is kept; a retry only helps where the fault may pass.
            is_kept = number in {7, 8, 9, 10}
            assert row.car == (reply.body if is_kept else None)
            assert pds.fetches(row.did) == (3 if state == "failed" and reason != "http-404" else 1)
        assert sum(result.absent.values()) == 4
        assert result.failed_repos == 7


async def test_an_account_is_absent_only_when_the_host_that_its_document_names_says_so(lake: Lake) -> None:
    moved, left, lost = accounts(3)
    denied = error_reply(400, "RepoDeactivated")
    async with running_pds([moved, left, lost]) as former, running_pds([moved]) as new:
        await plan(lake, former)
        former.faults = {moved.did: [denied], left.did: [denied], lost.did: [denied]}
        new.faults = {left.did: [error_reply(400, "RepoTakendown")]}
        former.homes = {moved.did: new.host.url, left.did: new.host.url, lost.did: "ftp://nowhere"}
        result = await fetch(lake, former)
        rows = rows_of(lake)
    assert (result.fetched, result.absent, result.failed) == (1, {"takendown": 1, "deactivated": 1}, {})
    assert rows[moved.did].car == moved.car()
    assert [rows[each.did].host for each in (moved, left, lost)] == [new.host.key, new.host.key, former.host.key]
    assert (former.fetches(), new.fetches()) == (3, 2), "each is followed once"


async def test_damage_on_the_way_is_mended_by_fetching_again(lake: Lake) -> None:
    made = accounts(4)
    flipped = bytearray(made[2].car())
    flipped[-1] ^= 1
    async with running_pds(made) as pds:
        await plan(lake, pds)
        pds.faults = {
            made[0].did: [Reply(cut_at_a_block(made[0]))],
            made[1].did: [Reply(made[1].car(), cut_after=100)],
            made[2].did: [Reply(bytes(flipped)), Reply(b"", 503)],
            made[3].did: [error_reply(429, "RateLimitExceeded", retry_after="0")],
        }
        result = await fetch(lake, pds)
        assert (result.fetched, result.failed) == (4, {})
        assert all(rows_of(lake)[account.did].car == account.car() for account in made)


async def test_a_repository_that_was_published_broken_is_kept_and_not_fetched_again(lake: Lake) -> None:
    broken = Account(make_account(0).did, {"no slash": b"\xa0"})
    async with running_pds([broken]) as pds:
        await plan(lake, pds)
        result = await fetch(lake, pds)
        assert result.fetched == 1
        row = rows_of(lake)[broken.did]
        assert (row.state, row.reason, row.rev, row.car) == ("fetched", None, None, broken.car())
        assert (row.detail or "").startswith("mst-key")
        assert (await fetch(lake, pds)).settled_before == 1
        assert pds.fetches() == 1


async def test_a_retry_fetches_only_what_failed(lake: Lake) -> None:
    made = accounts(10)
    async with running_pds(made) as pds:
        await plan(lake, pds)
        pds.faults[made[0].did] = [Reply(b"", 500)] * 3
        pds.faults[made[1].did] = [error_reply(400, "RepoTakendown")] * 2
        first = await fetch(lake, pds)
        assert (first.fetched, first.absent, first.failed) == (8, {"takendown": 1}, {"http-500": 1})
        before = pds.fetches()
        second = await fetch(lake, pds)
        assert (second.settled_before, second.fetched, second.failed) == (9, 1, {})
        assert pds.fetches() == before + 1
        third = await fetch(lake, pds)
        assert (third.settled_before, third.fetched, third.parts) == (10, 0, 0)
        assert pds.fetches() == before + 1


@pytest.mark.parametrize(
    ("reply", "state", "reason"),
    [
        (Reply(b"", 503), "failed", "did-http-503"),
        (Reply(b"{}"), "failed", "did-document"),
        (error_reply(404, "", f"DID not registered: {make_account(0).did}"), "absent", "not-found"),
        (error_reply(410, "", f"DID not available: {make_account(0).did}"), "absent", "not-found"),
        (Reply(b"<h1>Not Found</h1>", 404), "failed", "did-http-404"),
    ],
)
async def test_without_a_document_a_repository_is_not_fetched(
    lake: Lake, reply: Reply, state: str, reason: str
) -> None:
    (account,) = accounts(1)
    async with running_pds([account]) as pds:
        await plan(lake, pds)
        pds.faults[f"document {account.did}"] = [reply] * 3
        await fetch(lake, pds)
        row = rows_of(lake)[account.did]
        assert (row.state, row.reason, row.did_document) == (state, reason, None)
        assert (row.car is None) == (state == "absent")


async def test_a_repository_above_the_cap_is_left(lake: Lake) -> None:
    small, large = make_account(0), make_account(1, records=30, size_bytes=2000)
    async with running_pds([small, large]) as pds:
        await plan(lake, pds)
        result = await fetch(lake, pds, replace(SETTINGS, max_car_bytes=20_000))
        assert (result.fetched, result.failed) == (1, {"too-large": 1})
        assert rows_of(lake)[large.did].car is None
        assert pds.fetches(large.did) == 1


async def test_large_repositories_go_through_disk_unchanged(lake: Lake) -> None:
    made = [make_account(number, records=20, size_bytes=5000) for number in range(5)]
    async with running_pds(made) as pds:
        await plan(lake, pds)
        settings = replace(SETTINGS, spool_bytes=1000, pack=PackSettings(part_bytes=250_000, row_group_bytes=50_000))
        result = await fetch(lake, pds, settings)
        assert (result.fetched, result.parts) == (5, 2)
        assert all(rows_of(lake)[account.did].car == account.car() for account in made)


async def test_a_host_that_is_down_is_given_up_and_delays_no_other(lake: Lake) -> None:
    async with running_pds(accounts(40)) as sick, running_pds(accounts(40, 100)) as well:
        await plan(lake, sick, well)
        sick.down = Reply(b"", delay_seconds=60)
        finished: dict[str, float] = {}
        real_add = PackWriter.add

        def add(self: PackWriter, row: PackRow) -> None:
            finished[row.did] = time.monotonic() - started
            real_add(self, row)

        patient = replace(CLIENTS, timeouts=Timeouts(read=5, whole=20))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(PackWriter, "add", add)
            started = time.monotonic()
            result = await fetch(lake, well, clients_by=patient)
        assert result.fetched == 40
        assert set(result.failed) <= {"timeout", "host-parked"}
        assert result.failed["host-parked"] > 20
        assert max(finished[did] for did in well.accounts) < min(finished[did] for did in sick.accounts)
        sick.down = None
        for did, account in sick.accounts.items():
            well.accounts[did] = account  # the directory knows them too
        assert (await fetch(lake, well)).fetched == 40


async def test_a_cancelled_fetch_keeps_what_it_has(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    made, stored, real_add, count = accounts(30), asyncio.Event(), OutcomeCounts.add, [0]

    def add(self: OutcomeCounts, row: PackRow) -> None:
        real_add(self, row)
        count[0] += 1
        if count[0] == 20:
            stored.set()

    monkeypatch.setattr(OutcomeCounts, "add", add)
    async with running_pds(made) as pds:
        await plan(lake, pds)
        for account in made[20:]:
            pds.faults[account.did] = [Reply(b"", delay_seconds=30)]
        async with HostClients(replace(CLIENTS, timeouts=Timeouts(read=60, whole=60))) as clients:
            task = asyncio.create_task(fetch_shard(lake, SHARD, clients, pds.resolver(clients), SETTINGS))
            await asyncio.wait_for(stored.wait(), 30)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert len(rows_of(lake)) == 20
        result = await fetch(lake, pds)
        assert (result.settled_before, result.fetched) == (20, 10)
        assert all(pds.fetches(account.did) == 1 for account in made[:20])


@pytest.mark.parametrize("lives", [0, 1, 7, 20])
async def test_a_kill_at_any_row_loses_only_what_was_not_durable(
    lake: Lake, lives: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(BaseException):
        pass

    real_add, real_flush, left = PackWriter.add, PackWriter.flush, [lives]

    def add(self: PackWriter, row: PackRow) -> None:
        if left[0] == 0:
            raise KilledError
        left[0] -= 1
        real_add(self, row)

    made = accounts(21)
    settings = replace(SETTINGS, pack=PackSettings(part_bytes=3000, row_group_bytes=1000))
    async with running_pds(made) as pds:
        await plan(lake, pds)
        with monkeypatch.context() as patch:
            patch.setattr(PackWriter, "add", add)
            patch.setattr(PackWriter, "flush", lambda _self: None)  # a killed process flushes nothing
            with pytest.raises(BaseExceptionGroup):
                await fetch(lake, pds, settings)
        assert PackWriter.flush is real_flush
        kept = set(rows_of(lake))
        result = await fetch(lake, pds, settings)
        assert (result.settled_before, result.fetched) == (len(kept), 21 - len(kept))
        assert {did: row.car for did, row in rows_of(lake).items()} == {a.did: a.car() for a in made}


async def test_no_more_than_the_hosts_share_is_in_flight(lake: Lake) -> None:
    async with running_pds(accounts(30)) as one, running_pds(accounts(30, 100)) as other:
        one.accounts |= other.accounts
        write_listing(lake, one.host.url, dict.fromkeys((a.did for a in accounts(30)), REV))
        await plan(lake, other)
        await fetch(lake, one, replace(SETTINGS, max_in_flight=12))
        assert other.http.most_in_flight <= 6


async def test_progress_is_told_and_ends_at_the_whole(lake: Lake) -> None:
    told: list[tuple[int, int, int]] = []
    async with running_pds(accounts(5)) as pds:
        await plan(lake, pds)
        result = await fetch(lake, pds, progress=lambda done, total, size: told.append((done, total, size)))
    assert told[-1] == (5, 5, result.downloaded_bytes)


async def test_a_shard_that_does_not_exist_is_an_error(lake: Lake) -> None:
    async with running_pds() as pds:
        with pytest.raises(FileNotFoundError):
            await fetch(lake, pds)


def test_the_fakes_cut_is_at_a_blocks_boundary() -> None:
    account = make_account(0)
    frames: Iterable[tuple[bytes, int, int]] = read_car(cut_at_a_block(account))[1]
    car = cut_at_a_block(account)
    assert all(cid_of(car[start:end]) == cid for cid, start, end in frames)
