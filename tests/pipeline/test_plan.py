"""The shard plan: each account in one shard, on its current host, whatever was planned before or cut short."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from tests.fakes.listings import write_listing
from tests.fakes.pds import make_did
from zeppelin_pipeline.errors import CorruptStateError, InvalidDataError, UpstreamError
from zeppelin_pipeline.hosts.host import Host
from zeppelin_pipeline.identity.documents import DidDocument
from zeppelin_pipeline.identity.resolver import DidResolver, ResolvedDid
from zeppelin_pipeline.lake import layout
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.candidates import Candidates
from zeppelin_pipeline.repos.manifests import list_shards, read_manifest
from zeppelin_pipeline.repos.plan import PlanSettings, current_host, plan_shards

SMALL = PlanSettings(shard_size=10, tail_limit=5, tail_hosts=3)
OLD, NEW = "3laaaaaaaaa22", "3lbbbbbbbbb22"


class Directory:
    """Says which host an account is on now; counts who asks."""

    def __init__(self, hosts: Mapping[str, str | None] | None = None) -> None:
        self.hosts = hosts or {}
        self.asked: list[str] = []

    async def __call__(self, did: str) -> str | None:
        self.asked.append(did)
        return self.hosts.get(did)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path))


def dids(numbers: Iterable[int]) -> dict[str, str | None]:
    return {make_did(number): OLD for number in numbers}


def planned(lake: Lake) -> dict[str, list[str]]:
    """Shard to DIDs."""
    return {shard: [row.did for row in read_manifest(lake, shard)] for shard in list_shards(lake)}


def host_of(lake: Lake, did: str) -> str:
    (host,) = (row.host.key for shard in list_shards(lake) for row in read_manifest(lake, shard) if row.did == did)
    return host


async def test_a_large_host_is_cut_and_small_ones_are_bundled(lake: Lake) -> None:
    write_listing(lake, "large.example", dids(range(25)), page_size=7)
    for host in range(5):
        write_listing(lake, f"small{host}.example", dids(range(100 + host * 10, 103 + host * 10)))
    write_listing(lake, "empty.example", {})
    plan = await plan_shards(lake, Directory(), SMALL)
    sizes = {shard: len(found) for shard, found in planned(lake).items()}
    assert sizes == {
        "large.example~00000": 10,
        "large.example~00001": 10,
        "large.example~00002": 5,
        "tail~00000": 9,
        "tail~00001": 6,
    }
    assert plan.new_shards == tuple(sorted(sizes))
    assert (plan.new_repos, plan.hosts, plan.already_planned, plan.listed_twice) == (40, 7, 0, 0)
    bundles = [{row.host.key for row in read_manifest(lake, shard)} for shard in ("tail~00000", "tail~00001")]
    assert [len(bundle) for bundle in bundles] == [3, 2]
    assert not bundles[0] & bundles[1]


async def test_a_bundle_is_closed_when_it_is_full(lake: Lake) -> None:
    for host in range(3):
        write_listing(lake, f"small{host}.example", dids(range(host * 10, host * 10 + 4)))
    await plan_shards(lake, Directory(), SMALL)
    assert [len(found) for found in planned(lake).values()] == [8, 4]


async def test_a_manifest_says_where_and_what_was_listed(lake: Lake) -> None:
    write_listing(lake, "https://one.example:8443", {make_did(1): NEW, make_did(2): None})
    await plan_shards(lake, Directory(), SMALL)
    first, second = sorted(read_manifest(lake, "tail~00000"), key=lambda row: row.did)
    assert first.host == second.host == Host("one.example:8443", "https://one.example:8443")
    assert (first.did, first.rev, first.active, first.status) == (make_did(1), NEW, True, None)
    assert second.rev is None
    assert set(lake.read_metadata("shards/tail~00000.parquet")) == {"host", "planned_at"}


async def test_planning_twice_changes_nothing(lake: Lake) -> None:
    write_listing(lake, "large.example", dids(range(25)))
    write_listing(lake, "small.example", dids(range(50, 53)))
    await plan_shards(lake, Directory(), SMALL)
    before = planned(lake)
    again = await plan_shards(lake, Directory(), SMALL)
    assert (again.new_shards, again.new_repos, again.already_planned) == ((), 0, 28)
    assert planned(lake) == before


async def test_new_accounts_go_to_new_shards(lake: Lake) -> None:
    write_listing(lake, "large.example", dids(range(25)))
    await plan_shards(lake, Directory(), SMALL)
    before = planned(lake)
    write_listing(lake, "large.example", dids([*range(5, 37), 50]), number=1)
    write_listing(lake, "small.example", dids([60]))
    plan = await plan_shards(lake, Directory(), SMALL)
    assert plan.new_shards == ("large.example~00003", "large.example~00004", "tail~00000")
    after = planned(lake)
    assert {shard: after[shard] for shard in before} == before
    assert sorted(did for shard in plan.new_shards for did in after[shard]) == sorted(dids([*range(25, 37), 50, 60]))


async def test_the_document_decides_between_two_hosts(lake: Lake) -> None:
    moved, unknown, elsewhere, failing = (make_did(number) for number in range(4))
    write_listing(lake, "old.example", {moved: NEW, unknown: NEW, elsewhere: OLD, failing: None, make_did(9): OLD})
    write_listing(lake, "new.example", {moved: OLD, unknown: OLD, elsewhere: NEW, failing: OLD, make_did(8): OLD})
    directory = Directory({moved: "new.example", elsewhere: "third.example"})
    plan = await plan_shards(lake, directory, SMALL)
    assert host_of(lake, moved) == "new.example"
    assert host_of(lake, unknown) == "old.example"
    assert host_of(lake, elsewhere) == "new.example"
    assert host_of(lake, failing) == "new.example"
    assert sorted(directory.asked) == sorted([moved, unknown, elsewhere, failing])
    assert (plan.listed_twice, plan.unresolved, plan.new_repos) == (4, 3, 6)


async def test_while_the_directory_is_down_an_account_waits_for_the_next_planning(lake: Lake) -> None:
    async def resolve(_did: str) -> str | None:
        raise UpstreamError("timeout", is_transient=True)

    write_listing(lake, "a.example", {make_did(1): OLD, make_did(2): OLD})
    write_listing(lake, "b.example", {make_did(1): NEW})
    during = await plan_shards(lake, resolve, SMALL)
    assert (during.postponed, during.new_repos) == (1, 1)

    async def resolve_again(_did: str) -> str | None:
        return "a.example"

    after = await plan_shards(lake, resolve_again, SMALL)
    assert (after.postponed, after.new_repos) == (0, 1)
    assert host_of(lake, make_did(1)) == "a.example"


@pytest.mark.parametrize("error", [UpstreamError("did-gone", is_transient=False), InvalidDataError("did-document")])
async def test_when_the_document_cannot_be_had_the_highest_rev_decides(lake: Lake, error: Exception) -> None:
    async def resolve(_did: str) -> str | None:
        raise error

    write_listing(lake, "a.example", {make_did(1): OLD})
    write_listing(lake, "b.example", {make_did(1): NEW})
    plan = await plan_shards(lake, resolve, SMALL)
    assert host_of(lake, make_did(1)) == "b.example"
    assert plan.unresolved == 1


async def test_an_account_listed_twice_by_one_host_is_planned_once(lake: Lake) -> None:
    write_listing(lake, "a.example", [(make_did(1), OLD), (make_did(1), NEW), (make_did(1), None)])
    directory = Directory()
    await plan_shards(lake, directory, SMALL)
    (row,) = read_manifest(lake, "tail~00000")
    assert row.rev == NEW
    assert directory.asked == []


async def test_an_account_already_planned_stays_when_it_turns_up_elsewhere(lake: Lake) -> None:
    write_listing(lake, "a.example", {make_did(1): OLD})
    await plan_shards(lake, Directory(), SMALL)
    write_listing(lake, "b.example", {make_did(1): NEW})
    directory = Directory({make_did(1): "b.example"})
    assert (await plan_shards(lake, directory, SMALL)).new_shards == ()
    assert host_of(lake, make_did(1)) == "a.example"
    assert directory.asked == []


@pytest.mark.parametrize("survived", range(6))
async def test_a_kill_after_any_manifest_is_mended_by_the_next_plan(
    lake: Lake, survived: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_listing(lake, "large.example", dids(range(25)))
    write_listing(lake, "twin.example", {make_did(3): NEW, **dids(range(200, 204))})
    for host in range(4):
        write_listing(lake, f"small{host}.example", dids(range(100 + host * 10, 103 + host * 10)))
    real_write, written = Lake.write_table, list[str]()

    class KilledError(BaseException):
        pass

    def write(self: Lake, path: str, *args: object, **named: object) -> object:
        if len(written) == survived:
            raise KilledError
        written.append(path)
        return real_write(self, path, *args, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "write_table", write)
        if survived < 5:
            with pytest.raises(KilledError):
                await plan_shards(lake, Directory({make_did(3): "large.example"}), SMALL)
        else:
            await plan_shards(lake, Directory({make_did(3): "large.example"}), SMALL)
    await plan_shards(lake, Directory({make_did(3): "twin.example"}), SMALL)
    counts = Counter(did for found in planned(lake).values() for did in found)
    assert set(counts) == {
        *dids(range(25)),
        *dids(range(200, 204)),
        *(d for h in range(4) for d in dids(range(100 + h * 10, 103 + h * 10))),
    }
    assert set(counts.values()) == {1}


async def test_two_plannings_do_not_run_at_once(lake: Lake) -> None:
    write_listing(lake, "a.example", {make_did(1): OLD})
    write_listing(lake, "b.example", {make_did(1): OLD})

    async def resolve(_did: str) -> str | None:
        with pytest.raises(CorruptStateError, match="another process"):
            await plan_shards(lake, Directory(), SMALL)
        return None

    assert (await plan_shards(lake, resolve, SMALL)).new_repos == 1


async def test_buckets_agree_with_one_bucket(tmp_path: Path) -> None:
    decided: list[list[tuple[object, ...]]] = []
    for rows_per_bucket in (10_000, 7):
        folder = tmp_path / str(rows_per_bucket)
        folder.mkdir()
        candidates = Candidates(folder, 100, rows_per_bucket=rows_per_bucket)
        for host in range(3):
            rows = [(make_did(n), host, OLD if n % 2 else NEW, True, None) for n in range(host * 20, host * 20 + 40)]
            candidates.add(pl.DataFrame(rows, schema=["did", "host", "rev", "active", "status"], orient="row"))
        decision = await candidates.decide(["a", "b", "c"], Directory({make_did(25): "b"}))
        assert decision.listed_twice == 40
        decided.append(sorted(row for frame in candidates.winners([0, 1, 2]) for row in frame.iter_rows()))
        assert sum(decision.repos_by_host.values()) == 80
    assert decided[0] == decided[1]


async def test_a_document_with_a_hostile_host_is_no_word() -> None:
    async def get_url(_url: str, _max_bytes: int) -> bytes:
        service = (
            '{"id":"#atproto_pds","type":"AtprotoPersonalDataServer","serviceEndpoint":"https://user@evil.example"}'
        )
        return f'{{"id":"{make_did(1)}","service":[{service}]}}'.encode()

    with pytest.raises(InvalidDataError, match="host-syntax"):
        await current_host(DidResolver(get_url, "https://plc.example"))(make_did(1))


def test_a_hostile_stem_stays_in_the_shards_folder() -> None:
    assert layout.manifest("../../etc/passwd~00000") == "shards/%2e.%2f..%2fetc%2fpasswd~00000.parquet"


async def test_a_dead_directory_holds_back_only_what_its_mirror_lacks(lake: Lake) -> None:
    mirrored, lacking = [make_did(number) for number in range(300)], [make_did(number) for number in range(300, 600)]
    write_listing(lake, "old.example", dict.fromkeys([*mirrored, *lacking], NEW))
    write_listing(lake, "new.example", dict.fromkeys([*mirrored, *lacking], OLD))
    asked: list[str] = []

    async def get_url(url: str, _max_bytes: int) -> bytes:
        asked.append(url)
        await asyncio.sleep(0)
        raise UpstreamError("timeout", url, is_transient=True)

    async def ask_mirror(did: str, _since: datetime | None) -> ResolvedDid | None:
        return ResolvedDid(DidDocument(did, pds="https://new.example"), "{}") if did in mirrored else None

    resolver = DidResolver(get_url, "https://plc.example", ask_mirror=ask_mirror)
    plan = await plan_shards(lake, current_host(resolver), PlanSettings(shard_size=1000, tail_limit=5))
    assert (plan.new_repos, plan.postponed) == (len(mirrored), len(lacking))
    assert [row.did for row in read_manifest(lake, "new.example~00000")] == sorted(mirrored)
    assert len(asked) <= 60, "those that were under way when it was seen to be down, and no more"
