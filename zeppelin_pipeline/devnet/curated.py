"""Lists, feed generators and starter packs: the few records that others refer to by URI and CID besides posts.

They refer to accounts and to each other only, so they are made for the whole network at once, before all else.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from zeppelin_pipeline.atproto.cid import cid_to_text
from zeppelin_pipeline.atproto.syntax import format_datetime
from zeppelin_pipeline.atproto.tid import int_to_tid
from zeppelin_pipeline.devnet.blobs import blob_ref
from zeppelin_pipeline.devnet.encoding import encode_record, record_cid
from zeppelin_pipeline.devnet.model import LAST_MICROS, Account
from zeppelin_pipeline.devnet.population import Population
from zeppelin_pipeline.devnet.streams import stream
from zeppelin_pipeline.devnet.texts import RichText, phrase

LIST = "app.bsky.graph.list"
LIST_ITEM = "app.bsky.graph.listitem"
GENERATOR = "app.bsky.feed.generator"
STARTER_PACK = "app.bsky.graph.starterpack"

LIST_OWNER_SHARE = 0.08
GENERATOR_OWNER_SHARE = 0.03
STARTER_PACK_OWNER_SHARE = 0.03
FEED_NAMES = ("lighthouses", "bread", "Trains_and.Trams", "cats", "sea")


@dataclass(frozen=True, slots=True)
class CuratedRecord:
    """A record that is referred to: where it is, its bytes and what points at it."""

    did: str
    collection: str
    rkey: str
    block: bytes
    strong_ref: dict[str, str]

    @property
    def uri(self) -> str:
        """`at://did/collection/rkey`."""
        return self.strong_ref["uri"]

    @property
    def key(self) -> bytes:
        """`collection/rkey`."""
        return f"{self.collection}/{self.rkey}".encode()


@dataclass(frozen=True, slots=True)
class CuratedIndex:
    """All such records of the network, and by the account that owns them."""

    lists: list[CuratedRecord] = field(default_factory=list[CuratedRecord])
    generators: list[CuratedRecord] = field(default_factory=list[CuratedRecord])
    starter_packs: list[CuratedRecord] = field(default_factory=list[CuratedRecord])
    by_account: dict[int, list[CuratedRecord]] = field(default_factory=dict[int, list[CuratedRecord]])

    def of_account(self, index: int) -> list[CuratedRecord]:
        """What an account owns, list items among it."""
        return self.by_account.get(index, [])


def make_curated(population: Population) -> CuratedIndex:
    """Make the lists, generators and starter packs of all accounts. The first account always owns one of each."""
    curated = CuratedIndex()
    rng = stream(population.config.seed, "curated-owners")
    chances = rng.random((len(population.accounts), 3))
    chances[0] = 0.0
    shares = np.array([LIST_OWNER_SHARE, GENERATOR_OWNER_SHARE, STARTER_PACK_OWNER_SHARE])
    owners = chances < shares
    for index in np.flatnonzero(owners.any(axis=1)):
        has_list, has_generator, has_pack = owners[index]
        maker = _CuratedMaker(population, population.accounts[int(index)])
        if has_generator:
            curated.generators.append(maker.generator())
        if has_list:
            curated.lists.append(maker.list_with_items(moderation=bool(index % 2)))
        if has_pack:
            curated.starter_packs.append(maker.starter_pack(curated.generators))
        curated.by_account[int(index)] = maker.made
    return curated


class _CuratedMaker:
    """Makes one account's curated records; its clock moves on with each."""

    def __init__(self, population: Population, owner: Account) -> None:
        self.made: list[CuratedRecord] = []
        self._population = population
        self._owner = owner
        self._rng = stream(population.config.seed, "curated", owner.index)
        self._micros = owner.created_micros + int(self._rng.integers(LAST_MICROS - owner.created_micros) // 2)

    def generator(self) -> CuratedRecord:
        """A feed generator; its record key is a word, as the lexicon allows any."""
        about = RichText(phrase("en", self._number()))
        about.tag("devnet")
        return self._add(
            GENERATOR,
            f"{FEED_NAMES[self._number() % len(FEED_NAMES)]}-feed",
            {
                "did": "did:web:feeds.devnet.test",
                "displayName": "Mostly lighthouses",
                "description": about.text,
                "descriptionFacets": about.facets,
                "avatar": blob_ref(self._population.config.seed, self._owner.index, "image-0"),
                "acceptsInteractions": True,
            },
        )

    def list_with_items(self, *, moderation: bool) -> CuratedRecord:
        """A list for reading or for moderation, with its items."""
        purpose = "modlist" if moderation else "curatelist"
        made = self._list(purpose, phrase("en", self._number()))
        self._fill(made, int(self._rng.integers(1, 25)))
        return made

    def starter_pack(self, generators: list[CuratedRecord]) -> CuratedRecord:
        """A starter pack with the reference list that it needs."""
        made = self._list("referencelist", "People to start with")
        self._fill(made, int(self._rng.integers(6, 20)))
        feeds = [{"uri": record.uri} for record in generators[-3:]]
        fields = {"name": f"{self._owner.handle.split('-')[0].title()}'s friends", "list": made.uri, "feeds": feeds}
        return self._add(STARTER_PACK, None, fields | {"description": phrase("es", self._number())})

    def _list(self, purpose: str, name: str) -> CuratedRecord:
        fields = {"name": name, "purpose": f"app.bsky.graph.defs#{purpose}", "description": phrase("pt", len(name))}
        return self._add(LIST, None, fields)

    def _fill(self, made: CuratedRecord, count: int) -> None:
        accounts = self._population.accounts
        for number in self._rng.permutation(len(accounts))[:count]:
            self._add(LIST_ITEM, None, {"subject": accounts[int(number)].did, "list": made.uri})

    def _number(self) -> int:
        return int(self._rng.integers(1 << 30))

    def _add(self, collection: str, rkey: str | None, fields: dict[str, Any]) -> CuratedRecord:
        self._micros += 1_234_567
        rkey = rkey or int_to_tid(self._micros << 10 | self._owner.index % 1024)
        created_at = format_datetime(self._micros // 1000 * 1000)
        block = encode_record({"$type": collection, **fields, "createdAt": created_at})
        uri = f"at://{self._owner.did}/{collection}/{rkey}"
        strong_ref = {"cid": cid_to_text(record_cid(block)), "uri": uri}
        record = CuratedRecord(self._owner.did, collection, rkey, block, strong_ref)
        self.made.append(record)
        return record
