"""One account's likes, reposts, follows and blocks: many, small, nearly all of one form, so made in batches."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zeppelin_pipeline.atproto.syntax import format_datetime
from zeppelin_pipeline.devnet.curated import CuratedIndex
from zeppelin_pipeline.devnet.encoding import encode_record
from zeppelin_pipeline.devnet.index import CLOCK_IDS, REPOST, NetworkIndex
from zeppelin_pipeline.devnet.model import LAST_MICROS, Account
from zeppelin_pipeline.devnet.odd_forms import make_odd
from zeppelin_pipeline.devnet.rows import (
    Micros,
    Rows,
    join_rows,
    rows_of,
    split_rows,
    subject_did_rows,
    subject_ref_rows,
    tid_rows,
)
from zeppelin_pipeline.devnet.seeds import seeded_bytes
from zeppelin_pipeline.devnet.streams import stream
from zeppelin_pipeline.devnet.timeline import NONE, VIA_SHARE, Numbers, counts_of, strictly_rising

LIKE = "app.bsky.feed.like"
FOLLOW = "app.bsky.graph.follow"
BLOCK = "app.bsky.graph.block"

DUPLICATE_SHARE = 0.003
"""Likes and follows of what the account likes or follows already, as broken clients make them."""
GENERATOR_LIKE_SHARE = 0.004
STARTER_PACK_FOLLOW_SHARE = 0.01
"""Follows that name the starter pack they were made from."""
STRANGER_SHARE = 0.04
"""Follows of accounts of other networks."""
STRANGERS = 4096
CROWD = 0.7
"""No account likes more than this share of all posts, or follows more than this share of all accounts."""
LAG_MICROS = 2 * 86_400 * 1_000_000
"""Mean time from a post to a like of it."""

MadeRecord = tuple[bytes, bytes]
"""Key in the tree (`collection/rkey`) and block."""


@dataclass(frozen=True, slots=True)
class InteractionMaker:
    """Makes the frequent records of accounts."""

    index: NetworkIndex
    curated: CuratedIndex
    like_counts: Numbers
    follow_counts: Numbers
    block_counts: Numbers
    strangers: Rows

    def likes(self, account: Account) -> list[MadeRecord]:
        """All likes of an account, in order of time."""
        posts, reposts = self.index.posts, self.index.reposts
        rng = self._stream("likes", account)
        subjects = distinct_draws(posts.steps, int(self.like_counts[account.index]), rng)
        count = len(subjects)
        if not count:
            return []
        subjects = _repeat_some(subjects, rng)
        via = np.full(count, NONE)
        plain_reposts = np.flatnonzero(reposts.via == NONE) if count else via
        if len(plain_reposts):
            has_via = rng.random(count) < VIA_SHARE
            via[has_via] = plain_reposts[rng.integers(0, len(plain_reposts), int(has_via.sum()))]
            subjects = np.where(via == NONE, subjects, reposts.subject[via])
        micros = _after(rng, posts.micros[subjects], account)
        order = np.argsort(micros, kind="stable")
        subjects, via, micros = subjects[order], via[order], strictly_rising(micros[order])
        blocks = split_rows(
            subject_ref_rows(LIKE, self.index.post_cids[subjects], self.index.post_uris(subjects), micros)
        )
        is_generator = rng.random(count) < GENERATOR_LIKE_SHARE * bool(self.curated.generators)
        special = (via != NONE) | is_generator

        def record(place: int) -> dict[str, Any]:
            subject = self.index.post_ref(int(subjects[place]))
            if is_generator[place]:
                generators = self.curated.generators
                subject = generators[int(subjects[place]) % len(generators)].strong_ref
            made = {"$type": LIKE, "subject": subject, "createdAt": _time(micros[place])}
            if via[place] != NONE:
                made["via"] = self.index.repost_ref(int(via[place]))
            return made

        return self._finish(LIKE, account, micros, blocks, special, record, rng)

    def reposts(self, account: Account) -> list[MadeRecord]:
        """All reposts of an account, in order of time."""
        plan = self.index.reposts
        numbers = plan.of_account(account.index)
        blocks = split_rows(self.index.plain_repost_rows(numbers))
        via = plan.via[numbers]

        def record(place: int) -> dict[str, Any]:
            number = int(numbers[place])
            subject = self.index.post_ref(int(plan.subject[number]))
            made = {"$type": REPOST, "subject": subject, "createdAt": _time(plan.micros[number])}
            if via[place] != NONE:
                made["via"] = self.index.repost_ref(int(via[place]))
            return made

        # Odd forms would change CIDs that others refer to: reposts have none but `via`.
        return self._finish(REPOST, account, plan.micros[numbers], blocks, via != NONE, record, None)

    def follows(self, account: Account) -> list[MadeRecord]:
        """All follows of an account, in order of time."""
        rng = self._stream("follows", account)
        wanted = int(self.follow_counts[account.index])
        strangers = rng.binomial(wanted, STRANGER_SHARE) if wanted else 0
        targets = distinct_draws(self.index.population.popularity_steps, wanted - strangers, rng, is_bounded=True)
        targets = _repeat_some(targets[targets != account.index], rng)
        outside = self.strangers[rng.integers(0, STRANGERS, wanted - len(targets))]
        dids = np.concatenate([self.index.dids[targets], outside])
        dids = dids[rng.permutation(len(dids))]
        packs = self.curated.starter_packs
        special = rng.random(len(dids)) < STARTER_PACK_FOLLOW_SHARE * bool(packs)
        return self._about_dids(
            FOLLOW, account, dids, rng, special, lambda place: {"via": packs[place % len(packs)].strong_ref}
        )

    def blocks(self, account: Account) -> list[MadeRecord]:
        """All blocks of an account, in order of time."""
        rng = self._stream("blocks", account)
        wanted = int(self.block_counts[account.index])
        others = self.index.dids[rng.permutation(len(self.index.dids))[: int(wanted * 0.5) + 1]]
        outside = self.strangers[rng.permutation(STRANGERS)[: max(wanted - len(others), 0)]]
        dids = np.concatenate([others, outside])[:wanted]
        return self._about_dids(BLOCK, account, dids, rng, np.zeros(len(dids), bool), lambda _: {})

    def _about_dids(
        self,
        collection: str,
        account: Account,
        dids: Rows,
        rng: np.random.Generator,
        special: NDArray[np.bool_],
        more: Callable[[int], dict[str, Any]],
    ) -> list[MadeRecord]:
        count = len(dids)
        start = np.full(count, account.created_micros)
        micros = strictly_rising(np.sort(start + (rng.random(count) * (LAST_MICROS - start)).astype(np.int64)))
        blocks = split_rows(subject_did_rows(collection, dids, micros))

        def record(place: int) -> dict[str, Any]:
            did = dids[place].tobytes().decode()
            made = {"$type": collection, "subject": did, "createdAt": _time(micros[place])}
            return made | more(place) if special[place] else made

        return self._finish(collection, account, micros, blocks, special, record, rng)

    def _finish(
        self,
        collection: str,
        account: Account,
        micros: Micros,
        blocks: list[bytes],
        special: NDArray[np.bool_],
        record: Callable[[int], dict[str, Any]],
        rng: np.random.Generator | None,
    ) -> list[MadeRecord]:
        """Give the blocks their keys, after writing anew those that are special or odd."""
        tids = tid_rows(micros, account.index % CLOCK_IDS)
        keys = split_rows(join_rows(len(blocks), f"{collection}/".encode(), tids))
        share = self.index.population.config.odd_share
        odd = rng.random(len(blocks)) < share if rng else np.zeros(len(blocks), bool)
        for place in np.flatnonzero(special | odd):
            made = record(int(place))
            if odd[place]:
                made, rkey = make_odd(made, int(micros[place]))
                keys[place] = f"{collection}/{rkey}".encode() if rkey else keys[place]
            blocks[place] = encode_record(made)
        return list(zip(keys, blocks, strict=True))

    def _stream(self, kind: str, account: Account) -> np.random.Generator:
        return stream(self.index.population.config.seed, kind, account.index)


def make_interaction_maker(index: NetworkIndex, curated: CuratedIndex) -> InteractionMaker:
    """Count what each account does, and name the strangers."""
    population = index.population
    seed = population.config.seed
    texts = (f"did:plc:{stranger_suffix(seed, number)}".encode() for number in range(STRANGERS))
    return InteractionMaker(
        index=index,
        curated=curated,
        like_counts=counts_of(population, "like"),
        follow_counts=counts_of(population, "follow"),
        block_counts=counts_of(population, "block"),
        strangers=rows_of(texts, 32),
    )


def stranger_suffix(seed: int, number: int) -> str:
    """The 24 base32 characters of an account that is followed, but not on this network."""
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    return "".join(alphabet[byte & 31] for byte in seeded_bytes(seed, "stranger", number, size=24))


def distinct_draws(
    steps: NDArray[np.float64], count: int, rng: np.random.Generator, *, is_bounded: bool = False
) -> Numbers:
    """`count` weighted draws by cumulated weights, distinct up to CROWD of all there is, in random order.

    Beyond that the draws repeat, or with `is_bounded` there are fewer.
    """
    available = int(len(steps) * CROWD)
    if not len(steps) or not count:
        return np.zeros(0, np.int64)
    wanted = min(count, available)
    if wanted * 20 > len(steps):
        distinct = _heaviest(steps, wanted, rng)
    else:
        total = steps[-1]
        distinct = np.zeros(0, np.int64)
        while len(distinct) < wanted:
            more = np.searchsorted(steps, rng.random(wanted + wanted // 2 + 8) * total, side="right")
            distinct = np.unique(np.concatenate([distinct, np.minimum(more, len(steps) - 1)]))
        distinct = rng.permutation(distinct)[:wanted]
    if is_bounded or wanted == count:
        return distinct
    pool = distinct if len(distinct) else np.zeros(1, np.int64)
    return np.concatenate([distinct, pool[rng.integers(0, len(pool), count - wanted)]])


def _heaviest(steps: NDArray[np.float64], wanted: int, rng: np.random.Generator) -> Numbers:
    """Weighted sampling without replacement (Efraimidis and Spirakis, 2006): the smallest of exponential / weight."""
    weights = np.diff(steps, prepend=0.0)
    with np.errstate(divide="ignore"):
        keys = rng.exponential(size=len(weights)) / weights
    usable = min(wanted, int(np.isfinite(keys).sum()))
    return rng.permutation(np.argsort(keys)[:usable]).astype(np.int64)


def _repeat_some(targets: Numbers, rng: np.random.Generator) -> Numbers:
    repeated = rng.random(len(targets)) < DUPLICATE_SHARE
    return np.where(repeated, np.roll(targets, 1), targets)


def _after(rng: np.random.Generator, micros: Micros, account: Account) -> Micros:
    """A time for each like: some while after its post, within the account's life and the network's history."""
    lag = rng.exponential(LAG_MICROS, len(micros)).astype(np.int64)
    latest = LAST_MICROS - rng.integers(1, 3_600_000_000, len(micros))
    return np.minimum(np.maximum(micros, account.created_micros) + lag, latest)


def _time(micros: np.int64) -> str:
    return format_datetime(int(micros) // 1000 * 1000)
