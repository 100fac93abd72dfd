"""One account's rarer records: profile, gates, labeler, verifications, status, declarations, and unknown lexicons."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from zeppelin_pipeline.atproto.cid import cid_from_text
from zeppelin_pipeline.atproto.syntax import format_datetime
from zeppelin_pipeline.atproto.tid import int_to_tid
from zeppelin_pipeline.devnet.blobs import blob_ref
from zeppelin_pipeline.devnet.curated import CuratedIndex
from zeppelin_pipeline.devnet.encoding import encode_record
from zeppelin_pipeline.devnet.index import NetworkIndex
from zeppelin_pipeline.devnet.model import LAST_MICROS, Account
from zeppelin_pipeline.devnet.streams import stream
from zeppelin_pipeline.devnet.texts import phrase
from zeppelin_pipeline.devnet.timeline import NONE, Numbers

THREADGATE = "app.bsky.feed.threadgate"
POSTGATE = "app.bsky.feed.postgate"
UNKNOWN = "com.example.thing"

THREADGATE_SHARE = 0.03
POSTGATE_SHARE = 0.015
LABELER_SHARE = 0.01
VERIFIER_SHARE = 0.01
STATUS_SHARE = 0.02
DECLARATION_SHARE = 0.05
LIST_BLOCK_SHARE = 0.03
UNKNOWN_SHARE = 0.06

Named = tuple[str, str, dict[str, Any]]
"""Collection, record key, and the record without `$type`."""


@dataclass(frozen=True)
class PersonalMaker:
    """Makes the rarer records of accounts. The first account has one of every kind, so that every network has."""

    index: NetworkIndex
    curated: CuratedIndex

    def records(self, account: Account) -> list[tuple[bytes, bytes]]:
        """Keys and blocks of all of an account's rarer records, in no order."""
        rng = stream(self.index.population.config.seed, "personal", account.index)
        return [
            (f"{collection}/{rkey}".encode(), encode_record({"$type": collection} | record))
            for collection, rkey, record in self._named(account, rng)
        ]

    def _named(self, account: Account, rng: np.random.Generator) -> Iterator[Named]:
        yield "app.bsky.actor.profile", "self", self._profile(account, rng)
        yield from self._gates(account, rng)
        rare: tuple[tuple[float, Callable[[Account, np.random.Generator], Iterator[Named]]], ...] = (
            (LABELER_SHARE, self._labeler),
            (VERIFIER_SHARE, self._verifications),
            (STATUS_SHARE, self._status),
            (DECLARATION_SHARE, self._declarations),
            (LIST_BLOCK_SHARE, self._list_blocks),
            (UNKNOWN_SHARE, self._things),
        )
        for chance, (share, make) in zip(rng.random(len(rare)), rare, strict=True):
            if account.index == 0 or chance < share:
                yield from make(account, rng)

    def _profile(self, account: Account, rng: np.random.Generator) -> dict[str, Any]:
        seed = self.index.population.config.seed
        profile: dict[str, Any] = {
            "displayName": account.handle.split("-")[0].title(),
            "description": f"{phrase('en', _number(rng))}. {phrase('ja', _number(rng))}",
            "avatar": blob_ref(seed, account.index, "avatar"),
            "createdAt": format_datetime(account.created_micros),
        }
        if rng.random() < 0.4:
            profile["banner"] = blob_ref(seed, account.index, "banner")
        if rng.random() < 0.1:
            profile |= {"pronouns": "they/them", "website": f"https://example.com/~{account.index}"}
        own = self._own_posts(account)
        if len(own) and rng.random() < 0.15:
            profile["pinnedPost"] = self.index.post_ref(int(own[_number(rng) % len(own)]))
        packs = self.curated.starter_packs
        if packs and rng.random() < 0.08:
            profile["joinedViaStarterPack"] = packs[_number(rng) % len(packs)].strong_ref
        if rng.random() < 0.01:
            labels = {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "!no-unauthenticated"}]}
            profile["labels"] = labels
        return profile

    def _gates(self, account: Account, rng: np.random.Generator) -> Iterator[Named]:
        own = self._own_posts(account)
        is_root = self.index.posts.parent[own] == NONE
        for place in np.flatnonzero(is_root & (rng.random(len(own)) < THREADGATE_SHARE)):
            yield self._threadgate(int(own[place]), rng)
        for place in np.flatnonzero(rng.random(len(own)) < POSTGATE_SHARE):
            yield self._postgate(int(own[place]), rng)

    def _threadgate(self, post: int, rng: np.random.Generator) -> Named:
        rules: list[list[dict[str, Any]]] = [
            [],
            [{"$type": f"{THREADGATE}#mentionRule"}],
            [{"$type": f"{THREADGATE}#followingRule"}, {"$type": f"{THREADGATE}#followerRule"}],
        ]
        lists = self.curated.lists
        if lists:
            rules.append([{"$type": f"{THREADGATE}#listRule", "list": lists[_number(rng) % len(lists)].uri}])
        gate: dict[str, Any] = {"post": self.index.post_ref(post)["uri"], "createdAt": self._post_time(post)}
        choice = _number(rng) % (len(rules) + 1)
        if choice < len(rules):
            gate["allow"] = rules[choice]
        replies = self._pointing_at(post, self.index.posts.root, self._by_root)
        if len(replies) and rng.random() < 0.5:
            gate["hiddenReplies"] = [self.index.post_ref(int(reply))["uri"] for reply in replies[:3]]
        return THREADGATE, self.index.post_rkey(post), gate

    def _postgate(self, post: int, rng: np.random.Generator) -> Named:
        gate: dict[str, Any] = {"post": self.index.post_ref(post)["uri"], "createdAt": self._post_time(post)}
        quotes = self._pointing_at(post, self.index.posts.quote, self._by_quote)
        if len(quotes):
            gate["detachedEmbeddingUris"] = [self.index.post_ref(int(quote))["uri"] for quote in quotes[:5]]
        if rng.random() < 0.6:
            gate["embeddingRules"] = [{"$type": f"{POSTGATE}#disableRule"}]
        return POSTGATE, self.index.post_rkey(post), gate

    def _labeler(self, account: Account, rng: np.random.Generator) -> Iterator[Named]:
        strings = {"lang": "en", "name": "Bread", "description": "Shows bread."}
        definition = {"identifier": "bread", "severity": "inform", "blurs": "none", "locales": [strings]}
        policies = {"labelValues": ["spam", "porn", "bread"], "labelValueDefinitions": [definition]}
        yield "app.bsky.labeler.service", "self", {"policies": policies, "createdAt": _some_time(account, rng)}

    def _verifications(self, account: Account, rng: np.random.Generator) -> Iterator[Named]:
        accounts = self.index.population.accounts
        for place in rng.permutation(len(accounts))[:5]:
            subject = accounts[int(place)]
            name = subject.handle.split("-")[0].title()
            record = {"subject": subject.did, "handle": subject.handle, "displayName": name}
            yield (
                "app.bsky.graph.verification",
                _some_tid(account, rng),
                record | {"createdAt": _some_time(account, rng)},
            )

    def _status(self, account: Account, rng: np.random.Generator) -> Iterator[Named]:
        external = {"uri": "https://example.com/live", "title": "Live", "description": "Baking."}
        yield (
            "app.bsky.actor.status",
            "self",
            {
                "status": "app.bsky.actor.status#live",
                "embed": {"$type": "app.bsky.embed.external", "external": external},
                "durationMinutes": 90,
                "createdAt": _some_time(account, rng),
            },
        )

    def _declarations(self, _account: Account, rng: np.random.Generator) -> Iterator[Named]:
        choices = ("all", "none", "following")
        yield "chat.bsky.actor.declaration", "self", {"allowIncoming": choices[_number(rng) % 3]}
        yield "app.bsky.notification.declaration", "self", {"allowSubscriptions": "followers"}
        message_me = {"messageMeUrl": "https://example.com/germ", "showButtonTo": "usersIFollow"}
        # 33 bytes, and so nothing that an encoder could take for a CID.
        key = b"\x03" + rng.bytes(32)
        yield "com.germnetwork.declaration", "self", {"version": "1.1.0", "currentKey": key, "messageMe": message_me}

    def _list_blocks(self, account: Account, rng: np.random.Generator) -> Iterator[Named]:
        lists = self.curated.lists
        if lists:
            subject = lists[_number(rng) % len(lists)].uri
            record = {"subject": subject, "createdAt": _some_time(account, rng)}
            yield "app.bsky.graph.listblock", _some_tid(account, rng), record

    def _things(self, account: Account, rng: np.random.Generator) -> Iterator[Named]:
        """Records of a lexicon that nobody else knows: every kind of value, and every kind of record key."""
        link = cid_from_text(self.index.post_ref(0)["cid"]) if len(self.index.posts.author) else None
        for rkey in (_some_tid(account, rng), "1", "Tilde~dot.colon:dash-under_score", "self", "k" * 400):
            yield (
                UNKNOWN,
                rkey,
                {
                    "count": int(rng.integers(-(2**53), 2**53)),
                    "link": link,
                    "bytes": b"\x00" + rng.bytes(11),
                    "nested": {"empty": {}, "list": [1, None, True, "ünïcödé", [b"\x00", {}]]},
                    "emoji 🗼": phrase("uk", _number(rng)),
                },
            )

    def _own_posts(self, account: Account) -> Numbers:
        own = self.index.posts.of_account(account.index)
        return own[~self.index.posts.is_odd[own]]

    def _post_time(self, post: int) -> str:
        return format_datetime(int(self.index.posts.micros[post]) // 1000 * 1000 + 1_000_000)

    @cached_property
    def _by_root(self) -> Numbers:
        return np.argsort(self.index.posts.root, kind="stable")

    @cached_property
    def _by_quote(self) -> Numbers:
        return np.argsort(self.index.posts.quote, kind="stable")

    @staticmethod
    def _pointing_at(post: int, column: Numbers, order: Numbers) -> Numbers:
        """The posts whose column says `post`, in order of time; `order` sorts the column."""
        first, last = np.searchsorted(column, [post, post + 1], sorter=order)
        return order[first:last]


def _number(rng: np.random.Generator) -> int:
    return int(rng.integers(1 << 30))


def _some_micros(account: Account, rng: np.random.Generator) -> int:
    return int(rng.integers(account.created_micros, LAST_MICROS))


def _some_time(account: Account, rng: np.random.Generator) -> str:
    return format_datetime(_some_micros(account, rng) // 1000 * 1000)


def _some_tid(account: Account, rng: np.random.Generator) -> str:
    return int_to_tid(_some_micros(account, rng) << 10 | account.index % 1024)
