"""From an account to its signed repository: records in order, tree, commit, CAR. Keeping them is store.py's affair."""

from dataclasses import dataclass

from zeppelin_pipeline.atproto import mst
from zeppelin_pipeline.atproto.car import write_car
from zeppelin_pipeline.atproto.cid import cid_of
from zeppelin_pipeline.atproto.commit import encode_commit, sign_commit
from zeppelin_pipeline.atproto.crypto import PrivateKey
from zeppelin_pipeline.atproto.tid import int_to_tid
from zeppelin_pipeline.devnet.curated import CuratedIndex, make_curated
from zeppelin_pipeline.devnet.damage import KeyedBlock, damage_records
from zeppelin_pipeline.devnet.encoding import encode_record
from zeppelin_pipeline.devnet.faults import CONTENT_KINDS, FaultKind
from zeppelin_pipeline.devnet.index import NetworkIndex, make_index
from zeppelin_pipeline.devnet.interactions import InteractionMaker, make_interaction_maker
from zeppelin_pipeline.devnet.model import LAST_MICROS, Account, DevnetConfig
from zeppelin_pipeline.devnet.personal import PersonalMaker
from zeppelin_pipeline.devnet.population import Population, make_population
from zeppelin_pipeline.devnet.post_records import POST
from zeppelin_pipeline.devnet.rows import cids_of
from zeppelin_pipeline.devnet.seeds import seeded_bytes

STALE_SHARE = 0.8
"""How much of its records, in the order of keys, an older copy on a former host has."""


@dataclass(frozen=True, slots=True)
class MadeRepository:
    """One repository in one state.

    Attributes:
        did: whose it is.
        rev: the commit's revision, a TID.
        head: CID of the commit.
        data: CID of the tree's root.
        commit: the commit's block.
        records: how many there are.
        car: all of it: commit, tree, records in the order of keys.
    """

    did: str
    rev: str
    head: bytes
    data: bytes
    commit: bytes
    records: int
    car: bytes


@dataclass(frozen=True, slots=True)
class RepositoryMaker:
    """Makes the seeded repository of any account, again and again the same."""

    index: NetworkIndex
    curated: CuratedIndex
    interactions: InteractionMaker
    personal: PersonalMaker

    @property
    def population(self) -> Population:
        """The accounts."""
        return self.index.population

    def records(self, account: Account) -> list[KeyedBlock]:
        """Keys and blocks of all records of an account, in the order of keys."""
        records = self._posts(account)
        records += self.interactions.likes(account)
        records += self.interactions.reposts(account)
        records += self.interactions.follows(account)
        records += self.interactions.blocks(account)
        records += self.personal.records(account)
        records += [(record.key, record.block) for record in self.curated.of_account(account.index)]
        return sorted(records)

    def make(self, account: Account, fault: FaultKind | None = None) -> MadeRepository:
        """The repository of an account, with a content fault in it, or as TWO_HOSTS leaves it on a former host."""
        records = self.records(account)
        rev = seeded_rev(account)
        if fault is FaultKind.TWO_HOSTS:
            records, rev = records[: max(int(len(records) * STALE_SHARE), 1)], stale_rev(account)
        return self.build(account, rev, records, fault if fault in CONTENT_KINDS else None)

    def build(
        self, account: Account, rev: str, records: list[KeyedBlock], fault: FaultKind | None = None
    ) -> MadeRepository:
        """A repository of these records (in the order of keys) at this revision, signed by the account, or wrongly."""
        if fault is not None:
            records = damage_records(records, fault, account.did)
        key = self.wrong_key() if fault is FaultKind.WRONG_SIGNATURE else self.population.signing_key(account)
        return build_repository(account.did, rev, records, key)

    def wrong_key(self) -> PrivateKey:
        """A key that belongs to no account."""
        return PrivateKey.from_bytes("k256", seeded_bytes(self.population.config.seed, "wrong-key"))

    def _posts(self, account: Account) -> list[KeyedBlock]:
        writer = self.index.post_writer()
        return [
            (f"{POST}/{self.index.post_rkey(number)}".encode(), encode_record(writer.record(number)))
            for number in map(int, self.index.posts.of_account(account.index))
        ]


def make_repository_maker(config: DevnetConfig) -> RepositoryMaker:
    """Plan a network: its accounts, and the index of all posts and reposts."""
    population = make_population(config)
    curated = make_curated(population)
    index = make_index(population)
    return RepositoryMaker(
        index=index,
        curated=curated,
        interactions=make_interaction_maker(index, curated),
        personal=PersonalMaker(index, curated),
    )


def build_repository(did: str, rev: str, records: list[KeyedBlock], key: PrivateKey) -> MadeRepository:
    """Hash, tree, commit and CAR of records given in the order of keys."""
    blocks = [block for _, block in records]
    cids = cids_of(blocks)
    tree = mst.build(zip((record_key for record_key, _ in records), cids, strict=True))
    commit = encode_commit(sign_commit(did, rev, tree.root, key))
    head = cid_of(commit)
    body = {head: commit} | tree.blocks | dict(zip(cids, blocks, strict=True))
    return MadeRepository(did, rev, head, tree.root, commit, len(records), write_car(head, body.items()))


def seeded_rev(account: Account) -> str:
    """The revision of an account's seeded repository: a TID at the end of the network's history."""
    return int_to_tid(LAST_MICROS + account.index << 10)


def stale_rev(account: Account) -> str:
    """The revision of the older copy on a former host."""
    return int_to_tid(LAST_MICROS - 1 - account.index << 10)
