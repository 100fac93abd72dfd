"""Listing: durable pages, resumed passes, and failures that are never taken for the end."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.fakes.http_host import Reply, error_reply, json_reply
from tests.fakes.pds import HEAD, REV, FakePds, make_account, make_did, running_pds
from zeppelin_pipeline.errors import CorruptStateError, UpstreamError
from zeppelin_pipeline.hosts.client import ClientSettings, HostClients
from zeppelin_pipeline.hosts.limits import RetryPolicy
from zeppelin_pipeline.lake import layout
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.listing import ListingResult, complete_passes, latest_complete_pass, list_host

SETTINGS = ClientSettings(allow_private=True, retry=RetryPolicy(attempts=3, base_seconds=0.001))
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ACCOUNTS = [make_account(number, records=0) for number in range(10)]
FAILURE = Reply(b"", 503)


async def run(lake: Lake, pds: FakePds, *, reuse_for: timedelta = timedelta(0), now: datetime = NOON) -> ListingResult:
    async with HostClients(SETTINGS) as clients:
        client = clients.client(pds.host)
        return await list_host(client, lake, pds.host, reuse_for=reuse_for, now=lambda: now)


def listed(lake: Lake, pds: FakePds) -> list[str]:
    found = latest_complete_pass(lake, pds.host.key)
    assert found is not None
    dids: list[str] = []
    for path in found.pages:
        with lake.open_parquet(path) as file:
            dids += file.read(["did"])["did"].to_pylist()
    return dids


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path))


async def test_all_pages_are_listed_with_their_cursors(lake: Lake) -> None:
    async with running_pds(ACCOUNTS, page_size=4) as pds:
        result = await run(lake, pds)
        assert (result.pass_number, result.pages, result.repos, result.rejected) == (0, 3, 10, 0)
        assert listed(lake, pds) == sorted(account.did for account in ACCOUNTS)
        paths = [layout.listing_page(pds.host.key, 0, page) for page in range(3)]
        cursors = [(meta["cursor_in"], meta["cursor_out"]) for meta in map(lake.read_metadata, paths)]
    assert cursors == [("", "4"), ("4", "8"), ("8", "")]
    with lake.open_parquet(paths[0]) as file:
        row = file.read().to_pylist()[0]
    assert row == {"did": ACCOUNTS[0].did, "head": HEAD, "rev": REV, "active": True, "status": None}


async def test_a_failed_page_never_ends_a_listing(lake: Lake) -> None:
    async with running_pds(ACCOUNTS, page_size=4) as pds:
        pds.page_faults["4"] = [FAILURE] * 3
        with pytest.raises(UpstreamError, match="http-503"):
            await run(lake, pds)
        assert latest_complete_pass(lake, pds.host.key) is None
        result = await run(lake, pds)
        assert (result.pass_number, result.pages, result.repos) == (0, 3, 10)
        asked = [request.query.get("cursor", "") for request in pds.http.requests]
    assert asked == ["", "4", "4", "4", "4", "8"]


@pytest.mark.parametrize(
    "fault",
    [
        FAILURE,
        Reply(b"{}"),
        Reply(b'{"repos": null}'),
        Reply(b'{"repos": []}', cut_after=5),
        Reply(b"<html>fine</html>"),
        Reply(b"", 429, {"retry-after": "0"}),
        json_reply({"repos": [], "cursor": 5}),
    ],
)
async def test_a_page_that_fails_once_is_asked_for_again(lake: Lake, fault: Reply) -> None:
    async with running_pds(ACCOUNTS, page_size=4) as pds:
        pds.page_faults["8"] = [fault]
        assert (await run(lake, pds)).repos == 10
        assert listed(lake, pds) == sorted(account.did for account in ACCOUNTS)


async def test_a_kill_between_any_two_pages_loses_and_doubles_nothing(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_write = Lake.write_table

    class KilledError(BaseException):
        pass

    async with running_pds(ACCOUNTS, page_size=3) as pds:
        for is_written in (False, True, False, True, True):

            def write(self: Lake, path: str, *args: object, written: bool = is_written, **named: object) -> object:
                if written:
                    real_write(self, path, *args, **named)  # type: ignore[arg-type]
                raise KilledError

            with monkeypatch.context() as patch:
                patch.setattr(Lake, "write_table", write)
                with pytest.raises(KilledError):
                    await run(lake, pds)
            assert latest_complete_pass(lake, pds.host.key) is None
        result = await run(lake, pds)
        assert (result.pass_number, result.pages, result.repos) == (0, 4, 10)
        assert listed(lake, pds) == sorted(account.did for account in ACCOUNTS)


async def test_a_young_pass_is_reused_and_an_old_one_is_not(lake: Lake) -> None:
    hour = timedelta(hours=1)
    async with running_pds(ACCOUNTS) as pds:
        first = await run(lake, pds, reuse_for=hour)
        again = await run(lake, pds, reuse_for=hour, now=NOON + hour / 2)
        assert len(pds.http.requests) == 1
        later = await run(lake, pds, reuse_for=hour, now=NOON + hour * 2)
    assert [(each.pass_number, each.is_reused, each.repos) for each in (first, again, later)] == [
        (0, False, 10),
        (0, True, 10),
        (1, False, 10),
    ]


async def test_while_a_new_pass_is_unfinished_the_last_complete_one_counts(lake: Lake) -> None:
    async with running_pds(ACCOUNTS, page_size=4) as pds:
        await run(lake, pds)
        pds.page_faults["4"] = [FAILURE] * 3
        with pytest.raises(UpstreamError):
            await run(lake, pds)
        found = latest_complete_pass(lake, pds.host.key)
        assert found is not None
        assert (found.pass_number, found.repos) == (0, 10)
        assert complete_passes(lake) == [found]


async def test_entries_that_name_no_did_are_set_aside_and_counted(lake: Lake) -> None:
    async with running_pds(ACCOUNTS[:2]) as pds:
        pds.extra_entries = [
            None,
            "did:plc:x",
            {},
            {"did": 5},
            {"did": "did:plc:../../etc"},
            {"did": make_did(99), "head": "no cid", "rev": "no tid", "active": False, "status": "s" * 500},
            {"did": make_did(98), "head": 1, "rev": None, "active": "yes", "status": {}},
        ]
        result = await run(lake, pds)
        assert (result.repos, result.rejected) == (4, 5)
        with lake.open_parquet(layout.listing_page(pds.host.key, 0, 0)) as file:
            rows = file.read().to_pylist()[2:]
    assert rows == [
        {"did": make_did(99), "head": None, "rev": None, "active": False, "status": "s" * 64},
        {"did": make_did(98), "head": None, "rev": None, "active": True, "status": None},
    ]


async def test_a_host_that_leads_in_a_circle_is_left(lake: Lake) -> None:
    async with running_pds(ACCOUNTS, page_size=4) as pds:
        pds.page_faults["8"] = [json_reply({"repos": [{"did": make_did(5)}], "cursor": "4"})] * 20
        with pytest.raises(UpstreamError, match="cursor-loop"):
            await run(lake, pds)
        assert latest_complete_pass(lake, pds.host.key) is None


async def test_an_empty_host_has_a_complete_listing(lake: Lake) -> None:
    async with running_pds() as pds:
        result = await run(lake, pds)
        assert (result.pages, result.repos) == (1, 0)
        assert listed(lake, pds) == []


async def test_an_empty_page_with_a_cursor_is_not_the_end(lake: Lake) -> None:
    async with running_pds(ACCOUNTS, page_size=4) as pds:
        pds.page_faults["4"] = [json_reply({"repos": [], "cursor": "8"})]
        assert (await run(lake, pds)).repos == 6


async def test_a_host_that_knows_the_cursor_no_more_is_listed_anew(lake: Lake) -> None:
    async with running_pds(ACCOUNTS, page_size=4) as pds:
        pds.page_faults["4"] = [FAILURE] * 3 + [error_reply(400, "InvalidRequest", "no such cursor")]
        with pytest.raises(UpstreamError, match="http-503"):
            await run(lake, pds)
        result = await run(lake, pds)
        assert (result.pass_number, result.repos) == (1, 10)
        assert listed(lake, pds) == sorted(account.did for account in ACCOUNTS)


async def test_a_page_that_is_missing_in_the_middle_is_our_own_corruption(lake: Lake) -> None:
    async with running_pds(ACCOUNTS, page_size=4) as pds:
        await run(lake, pds)
        lake.delete(layout.listing_page(pds.host.key, 0, 1))
        with pytest.raises(CorruptStateError, match="not numbered"):
            latest_complete_pass(lake, pds.host.key)
