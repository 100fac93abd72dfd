"""For any listings in any order, each account listed is in exactly one shard ever planned."""

import asyncio
import tempfile
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.listings import write_listing
from tests.fakes.pds import make_did
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.manifests import list_shards, read_manifest
from zeppelin_pipeline.repos.plan import PlanSettings, plan_shards

HOSTS = ["a.example", "b.example", "c.example:8443", "localhost:1", "[::1]:2"]
REVS = st.sampled_from([None, "3laaaaaaaaa22", "3lbbbbbbbbb22", "3lccccccccc22"])
LISTINGS = st.lists(
    st.dictionaries(
        st.sampled_from(HOSTS), st.lists(st.tuples(st.integers(0, 60), REVS), max_size=40), min_size=1, max_size=4
    ),
    min_size=1,
    max_size=3,
)
SIZES = st.builds(PlanSettings, st.integers(1, 15), st.integers(0, 10), st.integers(1, 4))


@given(LISTINGS, SIZES, st.lists(st.sampled_from([*HOSTS, "gone.example"]), min_size=61, max_size=61))
@settings(max_examples=20, deadline=None)
def test_each_account_is_in_exactly_one_shard(
    rounds: list[dict[str, list[tuple[int, str | None]]]], sizes: PlanSettings, current: list[str]
) -> None:
    homes = {make_did(number): host for number, host in enumerate(current)}

    async def resolve(did: str) -> str | None:
        return homes[did]

    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(folder)
        listed: set[str] = set()
        for number, listing in enumerate(rounds):
            for host, entries in listing.items():
                write_listing(lake, host, [(make_did(n), rev) for n, rev in entries], number=number, page_size=9)
                listed |= {make_did(n) for n, _ in entries}
            asyncio.run(plan_shards(lake, resolve, sizes))
        manifests = {shard: read_manifest(lake, shard) for shard in list_shards(lake)}
    counts = Counter(row.did for rows in manifests.values() for row in rows)
    assert set(counts) == listed
    assert set(counts.values()) <= {1}
    for shard, rows in manifests.items():
        assert len(rows) <= max(sizes.shard_size, sizes.tail_limit)
        assert len({row.host for row in rows}) <= (sizes.tail_hosts if shard.startswith("tail~") else 1)
