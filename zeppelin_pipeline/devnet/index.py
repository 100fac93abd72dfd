"""What every record may refer to: the CIDs and keys of all posts and reposts, made once in order of time.

About 80 bytes a post; the records themselves are not kept, but made again when their repository is.
"""

from dataclasses import dataclass

import numpy as np

from zeppelin_pipeline.atproto.cid import cid_to_text
from zeppelin_pipeline.devnet.encoding import encode_record, record_cid
from zeppelin_pipeline.devnet.population import Population
from zeppelin_pipeline.devnet.post_records import POST, PostWriter
from zeppelin_pipeline.devnet.rows import (
    CID_CHARACTERS,
    Rows,
    cid_rows,
    cids_of,
    join_rows,
    rows_of,
    split_rows,
    subject_ref_rows,
    tid_rows,
)
from zeppelin_pipeline.devnet.timeline import NONE, Numbers, PostPlan, RepostPlan, plan_posts, plan_reposts

REPOST = "app.bsky.feed.repost"
CLOCK_IDS = 1 << 10
"""A TID's clock identifier is the account's number modulo this."""


@dataclass(frozen=True, slots=True)
class NetworkIndex:
    """The public objects of the network.

    Attributes:
        population: the accounts.
        posts: the plan of all posts.
        reposts: the plan of all reposts.
        dids: DIDs of the accounts, 32 characters each.
        post_keys: record keys of all posts as TIDs (odd posts have another: `post_rkey`).
        post_cids: text CIDs of all posts.
        repost_keys: record keys of all reposts.
        repost_cids: text CIDs of the reposts without `via`; the others' rows are blank.
    """

    population: Population
    posts: PostPlan
    reposts: RepostPlan
    dids: Rows
    post_keys: Rows
    post_cids: Rows
    repost_keys: Rows
    repost_cids: Rows

    def post_rkey(self, number: int) -> str:
        """The record key of a post."""
        if self.posts.is_odd[number]:
            return f"note-{number}.v1"
        return self.post_keys[number].tobytes().decode()

    def post_ref(self, number: int) -> dict[str, str]:
        """The strong reference to a post."""
        did = self.population.accounts[int(self.posts.author[number])].did
        return {
            "cid": self.post_cids[number].tobytes().decode(),
            "uri": f"at://{did}/{POST}/{self.post_rkey(number)}",
        }

    def repost_ref(self, number: int) -> dict[str, str]:
        """The strong reference to a repost without `via`."""
        did = self.population.accounts[int(self.reposts.author[number])].did
        return {
            "cid": self.repost_cids[number].tobytes().decode(),
            "uri": f"at://{did}/{REPOST}/{self.repost_keys[number].tobytes().decode()}",
        }

    def post_uris(self, numbers: Numbers) -> Rows:
        """The AT URIs of posts whose keys are TIDs, 70 characters each."""
        dids = self.dids[self.posts.author[numbers]]
        return join_rows(len(numbers), b"at://", dids, f"/{POST}/".encode(), self.post_keys[numbers])

    def plain_repost_rows(self, numbers: Numbers) -> Rows:
        """The records of reposts without `via`."""
        subjects = self.reposts.subject[numbers]
        return subject_ref_rows(
            REPOST, self.post_cids[subjects], self.post_uris(subjects), self.reposts.micros[numbers]
        )

    def post_writer(self) -> PostWriter:
        """What makes the records of posts."""
        return PostWriter(self.population, self.posts, self.post_ref)


def make_index(population: Population) -> NetworkIndex:
    """Plan the network, and make each post and repost once for its CID: about 60,000 posts a second."""
    posts = plan_posts(population)
    reposts = plan_reposts(population, posts)
    index = NetworkIndex(
        population=population,
        posts=posts,
        reposts=reposts,
        dids=rows_of((account.did.encode() for account in population.accounts), 32),
        post_keys=tid_rows(posts.micros, posts.author % CLOCK_IDS),
        post_cids=np.zeros((len(posts.author), CID_CHARACTERS), np.uint8),
        repost_keys=tid_rows(reposts.micros, reposts.author % CLOCK_IDS),
        repost_cids=np.full((len(reposts.author), CID_CHARACTERS), ord(" "), np.uint8),
    )
    _fill_post_cids(index)
    _fill_repost_cids(index)
    return index


def _fill_post_cids(index: NetworkIndex) -> None:
    writer = index.post_writer()
    for number in range(len(index.posts.author)):
        text = cid_to_text(record_cid(encode_record(writer.record(number))))
        index.post_cids[number] = np.frombuffer(text.encode(), np.uint8)


def _fill_repost_cids(index: NetworkIndex, batch: int = 20_000) -> None:
    plain = np.flatnonzero(index.reposts.via == NONE)
    for start in range(0, len(plain), batch):
        numbers = plain[start : start + batch]
        index.repost_cids[numbers] = cid_rows(cids_of(split_rows(index.plain_repost_rows(numbers))))
