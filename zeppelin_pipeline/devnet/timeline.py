"""Who posts and reposts what, and when: the plan of the whole network, in columns, without the records' bytes.

Posts are numbered in the order of time over all accounts. A post refers only to posts of lower number, so that the
records, and with them the CIDs that later records need, can be made in one pass (index.py).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zeppelin_pipeline.devnet.model import LAST_MICROS
from zeppelin_pipeline.devnet.population import Population
from zeppelin_pipeline.devnet.rows import Micros
from zeppelin_pipeline.devnet.streams import stream

SHARES = {"like": 0.62, "follow": 0.17, "post": 0.12, "repost": 0.07, "block": 0.02}
"""The mix of the public network, which a profile each and rarer records come on top of."""

NONE = -1
"""In a column of numbers: refers to nothing."""

REPLY_SHARE = 0.42
THREAD_SHARE = 0.2
"""Replies to one's own last post."""
RECENT_SHARE = 0.4
"""Replies to a post of the last moments rather than to a popular one."""

MEDIA = ("none", "images", "external", "video", "gallery")
MEDIA_SHARES = (0.60, 0.24, 0.12, 0.03, 0.01)
QUOTE_SHARE = 0.09
MENTION_SHARE = 0.08
ODD_POST_SHARE = 0.002
"""Posts whose record key is no TID: never a target, as a reference to one has another length."""
VIA_SHARE = 0.04
"""Reposts and likes that were made from somebody's repost."""

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PostPlan:
    """All posts, one column a property; a post is its place in the columns.

    Attributes:
        author: index of the account.
        micros: when, strictly rising; the time of the record key.
        parent: number of the post replied to, or NONE.
        root: number of the thread's first post, or NONE.
        quote: number of the post quoted, or NONE.
        media: index into MEDIA.
        mention: index of the account mentioned, or NONE.
        variety: 32 random bits, from which texts, languages and pictures are chosen.
        is_odd: whether the record key is not a TID.
        steps: cumulated popularity, for weighted draws by bisection.
        starts: for account a, `by_author[starts[a]:starts[a + 1]]` are its posts, in order of time.
        by_author: post numbers grouped by account.
    """

    author: Numbers
    micros: Micros
    parent: Numbers
    root: Numbers
    quote: Numbers
    media: Numbers
    mention: Numbers
    variety: Numbers
    is_odd: NDArray[np.bool_]
    steps: NDArray[np.float64]
    starts: Numbers
    by_author: Numbers

    def of_account(self, index: int) -> Numbers:
        """The numbers of an account's posts, in order of time."""
        return self.by_author[self.starts[index] : self.starts[index + 1]]


@dataclass(frozen=True, slots=True)
class RepostPlan:
    """All reposts, in order of time; the columns as in PostPlan.

    Attributes:
        subject: number of the post reposted.
        via: number of the repost it was found by, or NONE; that one has no `via` itself.
    """

    author: Numbers
    micros: Micros
    subject: Numbers
    via: Numbers
    starts: Numbers
    by_author: Numbers

    def of_account(self, index: int) -> Numbers:
        """The numbers of an account's reposts, in order of time."""
        return self.by_author[self.starts[index] : self.starts[index + 1]]


def counts_of(population: Population, kind: str) -> Numbers:
    """How many records of a kind (a key of SHARES) each account has; the mix holds over the network, not in each."""
    rng = stream(population.config.seed, "counts", kind)
    wanted = population.sizes * SHARES[kind]
    return np.floor(wanted + rng.random(len(wanted))).astype(np.int64)


def draw_before(steps: NDArray[np.float64], limits: Numbers, rng: np.random.Generator) -> Numbers:
    """For each limit (at least 1) an index below it, drawn by the weights whose cumulated sums are `steps`."""
    ceilings = steps[limits - 1]
    drawn = np.searchsorted(steps, rng.random(len(limits)) * ceilings, side="right")
    return np.minimum(drawn, limits - 1).astype(np.int64)


def plan_posts(population: Population) -> PostPlan:
    """The posts of the whole network."""
    rng = stream(population.config.seed, "posts")
    author, micros = _authors_and_times(population, counts_of(population, "post"), rng)
    count = len(author)
    is_odd = rng.random(count) < ODD_POST_SHARE
    is_odd[:1] = False  # the first post is what everything early refers to
    weights = population.popularity[author] * rng.lognormal(0.0, 1.5, count)
    weights[is_odd] = 0.0
    steps = np.cumsum(weights)
    by_author, starts = _group(author, len(population.accounts))
    parent = _parents(rng, author, steps)
    quote = np.where(rng.random(count) < QUOTE_SHARE, draw_before(steps, np.maximum(np.arange(count), 1), rng), NONE)
    quote[:1] = NONE
    mentioned = _draw(population.popularity_steps, count, rng)
    return PostPlan(
        author=author,
        micros=micros,
        parent=parent,
        root=_roots(parent),
        quote=quote,
        media=rng.choice(len(MEDIA), count, p=MEDIA_SHARES),
        mention=np.where(rng.random(count) < MENTION_SHARE, mentioned, NONE),
        variety=rng.integers(0, 2**32, count),
        is_odd=is_odd,
        steps=steps,
        starts=starts,
        by_author=by_author,
    )


def plan_reposts(population: Population, posts: PostPlan) -> RepostPlan:
    """The reposts of the whole network, each of a post made before it."""
    rng = stream(population.config.seed, "reposts")
    counts = counts_of(population, "repost") if len(posts.author) else np.zeros(len(population.accounts), np.int64)
    author, micros = _authors_and_times(population, counts, rng)
    limits = np.maximum(np.searchsorted(posts.micros, micros), 1)
    subject = draw_before(posts.steps, limits, rng) if len(author) else author
    by_author, starts = _group(author, len(population.accounts))
    via = _via(rng, len(author))
    subject = np.where(via == NONE, subject, subject[via]) if len(author) else subject
    return RepostPlan(author, micros, subject, via, starts, by_author)


def _authors_and_times(population: Population, counts: Numbers, rng: np.random.Generator) -> tuple[Numbers, Micros]:
    author = np.repeat(np.arange(len(counts)), counts)
    created = np.array([account.created_micros for account in population.accounts], np.int64)[author]
    micros = created + (rng.random(len(author)) * (LAST_MICROS - created)).astype(np.int64)
    order = np.argsort(micros, kind="stable")
    return author[order], strictly_rising(micros[order])


def strictly_rising(micros: Micros) -> Micros:
    """Sorted times, each moved on just so far that no two are equal."""
    places = np.arange(len(micros))
    return np.maximum.accumulate(micros - places) + places


def _draw(steps: NDArray[np.float64], count: int, rng: np.random.Generator) -> Numbers:
    return draw_before(steps, np.full(count, len(steps)), rng)


def _group(author: Numbers, accounts: int) -> tuple[Numbers, Numbers]:
    starts = np.zeros(accounts + 1, np.int64)
    np.cumsum(np.bincount(author, minlength=accounts), out=starts[1:])
    return np.argsort(author, kind="stable"), starts


def _parents(rng: np.random.Generator, author: Numbers, steps: NDArray[np.float64]) -> Numbers:
    """For each post the one it replies to: the author's own last one, a recent one, or a popular one; or NONE."""
    count = len(author)
    if not count:
        return author
    numbers = np.arange(count)
    limits = np.maximum(numbers, 1)
    popular = draw_before(steps, limits, rng)
    recent = np.maximum(numbers - 1 - rng.geometric(0.02, count), 0)
    parent = np.where(rng.random(count) < RECENT_SHARE, recent, popular)
    own = _previous_own(author)
    parent = np.where((rng.random(count) < THREAD_SHARE) & (own != NONE), own, parent)
    parent[rng.random(count) >= REPLY_SHARE] = NONE
    parent[0] = NONE
    return parent


def _previous_own(author: Numbers) -> Numbers:
    order = np.argsort(author, kind="stable")
    previous = np.full(len(author), NONE)
    same = author[order][1:] == author[order][:-1]
    previous[order[1:][same]] = order[:-1][same]
    return previous


def _roots(parent: Numbers) -> Numbers:
    """The end of each chain of parents, by pointer jumping: chains halve in each round."""
    jump = np.where(parent == NONE, np.arange(len(parent)), parent)
    while True:
        further = jump[jump]
        if np.array_equal(further, jump):
            return np.where(parent == NONE, NONE, jump)
        jump = further


def _via(rng: np.random.Generator, count: int) -> Numbers:
    """For few reposts an earlier one; those that are pointed at point at none."""
    numbers = np.arange(count)
    earlier = (rng.random(count) * numbers).astype(np.int64)
    has_via = (rng.random(count) < VIA_SHARE) & (numbers > 0)
    has_via &= ~has_via[earlier] if count else has_via
    return np.where(has_via, earlier, NONE)
