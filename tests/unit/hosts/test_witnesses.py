"""What each witness says of which hosts exist, hostile names included."""

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from tests.fakes.http_host import Reply, Request, json_reply, serving
from zeppelin_pipeline.errors import InvalidDataError, UpstreamError
from zeppelin_pipeline.hosts.client import ClientSettings, HostClients
from zeppelin_pipeline.hosts.limits import RetryPolicy
from zeppelin_pipeline.hosts.witnesses import manual_witness, read_scrape, relay_witness, scrape_witness

QUICK = ClientSettings(allow_private=True, retry=RetryPolicy(attempts=2, base_seconds=0.001))
SCRAPE = {
    "firehose": {"cursor": "12"},
    "pdses": {
        "https://one.example/": {"inviteCodeRequired": True, "version": "0.4.59"},
        "https://two.example/": {"errorAt": 1728349808294},
        "https://three.example:8443/": {"version": 7, "errorAt": "yesterday"},
        "https://four.example/": {"errorAt": 10**30},
        "https://five.example/": None,
        "https://user@evil.example/": {},
        "http://plain.example/": {},
        "https://six.example/path": {},
    },
}


def test_the_scrape_is_read_with_versions_and_errors() -> None:
    report = read_scrape(
        orjson.dumps({**SCRAPE, "pdses": {k: v for k, v in SCRAPE["pdses"].items() if "four" not in k}})
    )
    said = {each.host.key: (each.version, each.error_at) for each in report.sightings}
    assert said == {
        "one.example": ("0.4.59", None),
        "two.example": (None, datetime(2024, 10, 8, 1, 10, 8, 294000, UTC)),
        "three.example:8443": (None, None),
        "five.example": (None, None),
    }
    assert report.malformed == 3


@pytest.mark.parametrize("error_at", [0, -1, 2**62, True, 1.5])
def test_a_time_that_is_none_is_left_out(error_at: object) -> None:
    (sighting,) = read_scrape(orjson.dumps({"pdses": {"https://one.example": {"errorAt": error_at}}})).sightings
    assert sighting.error_at is None


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"pdses": []}', b"\xff"])
def test_a_scrape_of_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidDataError) as caught:
        read_scrape(body)
    assert caught.value.reason == "scrape-malformed"


async def test_the_scrape_comes_from_a_file_or_a_url(tmp_path: Path) -> None:
    body = b'{"pdses": {"https://one.example/": {}}}'
    (tmp_path / "state.json").write_bytes(body)
    async with serving(lambda _: Reply(body)) as host, HostClients(QUICK) as clients:
        from_file = await scrape_witness(clients, str(tmp_path / "state.json")).ask()
        from_url = await scrape_witness(clients, f"{host.host.url}/state.json").ask()
    assert [each.host.key for each in from_file.sightings] == ["one.example"]
    assert from_file == from_url


async def test_a_relays_hosts_are_paged_to_the_end() -> None:
    pages = {
        "": {"hosts": [{"hostname": "one.example"}, {"hostname": "../x"}, "two.example"], "cursor": "p2"},
        "p2": {
            "hosts": [{"hostname": "two.example", "status": "offline"}, {"hostname": 5}, {"hostname": "one.example"}]
        },
    }

    def answer(request: Request) -> Reply:
        assert request.path == "/xrpc/com.atproto.sync.listHosts"
        return json_reply(pages[request.query.get("cursor", "")])

    async with serving(answer) as relay, HostClients(QUICK) as clients:
        report = await relay_witness(clients, relay.host).ask()
    assert [each.host.key for each in report.sightings] == ["one.example", "two.example"]
    assert report.malformed == 3
    assert report.witness == f"relay:{relay.host.key}"


async def test_a_relay_that_fails_on_its_second_page_is_no_witness() -> None:
    def answer(request: Request) -> Reply:
        if "cursor" in request.query:
            return Reply(b"", 503)
        return json_reply({"hosts": [{"hostname": "one.example"}], "cursor": "p2"})

    async with serving(answer) as relay, HostClients(QUICK) as clients:
        with pytest.raises(UpstreamError, match="http-503"):
            await relay_witness(clients, relay.host).ask()


async def test_the_operators_list_is_a_witness() -> None:
    report = await manual_witness(["https://one.example", "one.example", "nonsense here"]).ask()
    assert [each.host.key for each in report.sightings] == ["one.example"]
    assert report.malformed == 1
