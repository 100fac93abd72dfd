"""The directory: nobody once known is dropped, the down are parked, and no witness at all is an error."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.fakes.http_host import Reply, Request, error_reply, json_reply, serving
from zeppelin_pipeline.errors import UpstreamError
from zeppelin_pipeline.hosts.client import ClientSettings, HostClients
from zeppelin_pipeline.hosts.directory import PdsRow, merge, read_directory, refresh_directory
from zeppelin_pipeline.hosts.host import parse_host
from zeppelin_pipeline.hosts.limits import RetryPolicy
from zeppelin_pipeline.hosts.witnesses import Report, Sighting, Witness, manual_witness
from zeppelin_pipeline.lake.store import Lake

QUICK = ClientSettings(allow_private=True, retry=RetryPolicy(attempts=1))
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def pds(request: Request) -> Reply:
    if request.path.endswith("_health"):
        return json_reply({"version": "0.4.1"})
    return json_reply({"did": "did:web:localhost", "availableUserDomains": []})


async def _fail() -> Report:
    raise UpstreamError("timeout", "no answer", is_transient=True)


async def test_hosts_are_probed_and_the_down_are_parked(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    async with serving(pds) as up, serving(lambda _: Reply(b"<html>")) as other, HostClients(QUICK) as clients:
        witness = manual_witness([up.host.url, other.host.url, "no.invalid"])
        directory = await refresh_directory(lake, clients, [witness], now=lambda: NOON)
    rows = {row.host: row for row in directory.rows}
    alive, page, gone = rows[up.host.key], rows[other.host.key], rows["no.invalid"]
    assert (alive.state, alive.version, alive.last_seen_at, alive.last_error) == ("online", "0.4.1", NOON, None)
    assert (page.state, page.last_seen_at) == ("parked", None)
    assert (page.last_error or "").startswith("upstream-malformed")
    assert (gone.last_error or "").startswith("connect")
    assert directory.online == (alive,)
    assert read_directory(lake) == directory.rows


async def test_what_a_host_says_of_itself_can_be_stored(tmp_path: Path) -> None:
    def answer(request: Request) -> Reply:
        return json_reply({"version": "\0"}) if request.path.endswith("_health") else pds(request)

    def deny(_: Request) -> Reply:
        return error_reply(400, "\0", "\0")

    async with serving(answer) as odd, serving(deny) as rude, HostClients(QUICK) as clients:
        witness = manual_witness([odd.host.url, rude.host.url])
        directory = await refresh_directory(Lake(str(tmp_path)), clients, [witness], now=lambda: NOON)
    rows = {row.host: row for row in directory.rows}
    assert (rows[odd.host.key].state, rows[odd.host.key].version) == ("online", None)
    assert "\0" not in (rows[rude.host.key].last_error or "\0")


async def test_a_host_that_no_witness_names_any_more_is_kept(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    async with serving(pds) as up, HostClients(QUICK) as clients:
        await refresh_directory(lake, clients, [manual_witness([up.host.url])], now=lambda: NOON)
        up.answer = lambda _: Reply(b"", 502)
        later = await refresh_directory(lake, clients, [manual_witness([])], now=lambda: NOON + timedelta(days=1))
    (row,) = later.rows
    assert (row.host, row.state, row.last_seen_at, row.version) == (up.host.key, "parked", NOON, "0.4.1")
    assert len(lake.list("pds_list")) == 2


async def test_a_witness_that_fails_is_told_and_the_others_count(tmp_path: Path) -> None:
    async with serving(pds) as up, HostClients(QUICK) as clients:
        witnesses = [Witness("relay:x", _fail), manual_witness([up.host.url])]
        directory = await refresh_directory(Lake(str(tmp_path)), clients, witnesses)
    assert directory.failures == {"relay:x": "timeout: no answer"}
    assert [row.state for row in directory.rows] == ["online"]


async def test_without_any_witness_nothing_is_written(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    async with HostClients(QUICK) as clients:
        for witnesses in ([], [Witness("relay:x", _fail)]):
            with pytest.raises(UpstreamError, match="no-witness"):
                await refresh_directory(lake, clients, witnesses)
    assert lake.list("pds_list") == []


def test_reports_add_up() -> None:
    known = PdsRow("one.example", "https://one.example", ("scrape",), "online", "2", NOON, None)
    one, two = parse_host("one.example"), parse_host("two.example")
    said = [
        Report("relay:r", (Sighting(one, "relay:r", "1"), Sighting(two, "relay:r"))),
        Report("manual", (Sighting(two, "manual", "3", NOON),)),
    ]
    first, second = merge([known], said)
    assert (first.witnesses, first.version, first.state) == (("relay:r", "scrape"), "2", "online")
    assert (second.witnesses, second.version, second.state) == (("manual", "relay:r"), "3", "parked")
