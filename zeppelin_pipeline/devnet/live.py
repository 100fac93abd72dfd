"""What happens while the network runs: people write, delete, rename and leave, at a set rate."""

import asyncio
import time
from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate, islice
from typing import Any

from zeppelin_pipeline.atproto.syntax import format_datetime
from zeppelin_pipeline.atproto.tid import int_to_tid
from zeppelin_pipeline.devnet.directory import Directory
from zeppelin_pipeline.devnet.encoding import encode_event, encode_record
from zeppelin_pipeline.devnet.firehose import Firehose
from zeppelin_pipeline.devnet.index import CLOCK_IDS, NetworkIndex
from zeppelin_pipeline.devnet.live_repository import LiveCommit, LiveRepository, Write
from zeppelin_pipeline.devnet.mistelling import Mistelling
from zeppelin_pipeline.devnet.model import Account, AccountStatus, LiveConfig
from zeppelin_pipeline.devnet.state import NetworkState
from zeppelin_pipeline.devnet.streams import dice
from zeppelin_pipeline.devnet.texts import phrase
from zeppelin_pipeline.devnet.timeline import NONE

TICK_SECONDS = 0.02
#: Events are made so many at once, then others may run.
EVENTS_AT_ONCE = 10
UPDATE_SHARE = 0.03
CREATED = ("app.bsky.feed.like", "app.bsky.graph.follow", "app.bsky.feed.post", "app.bsky.feed.repost")
CREATED_STEPS = tuple(accumulate((64, 17, 12, 7)))
#: A record and the event that tells of it are often of one millisecond.
_time_text = lru_cache(maxsize=16)(format_datetime)
PROFILE_KEY = b"app.bsky.actor.profile/self"


class LiveFeed:
    """Makes events, applies them to the network's state, and publishes them.

    Attributes:
        made: events so far.
        is_paused: whether `run` makes none for now.
        events_per_second: that `run` makes.
        mistelling: what the relay does wrong.
    """

    def __init__(
        self, config: LiveConfig, state: NetworkState, index: NetworkIndex, directory: Directory, firehose: Firehose
    ) -> None:
        self._config = config
        self._state = state
        self._index = index
        self._directory = directory
        self._firehose = firehose
        self._dice = dice(state.population.config.seed, "live")
        active = [account for account in state.population.accounts if account.is_active and not account.former_host]
        self._writers = self._dice.sample(active, min(config.accounts, len(active)))
        self._account_steps = array("d", state.population.popularity_steps)
        self._post_steps = array("d", index.posts.steps)
        self._last_micros = 0
        self.made = 0
        self.is_paused = False
        self.events_per_second = config.events_per_second
        self.mistelling = Mistelling(config.faults, state.population.config.seed, firehose)

    async def run(self) -> None:
        """Make events at the rate that is set until cancelled, or the last is made."""
        if not self._writers:
            return
        rate, started, made = self.events_per_second, time.monotonic(), 0
        while True:
            if self.is_paused or rate != self.events_per_second:
                rate, started, made = self.events_per_second, time.monotonic(), 0
            due = int((time.monotonic() - started) * rate)
            while made < due and not self.is_paused:
                if self._firehose.last_seq == self._config.last_seq:
                    return
                await self.step()
                made += 1
                if made % EVENTS_AT_ONCE == 0:
                    await asyncio.sleep(0)  # requests come first when the rate is more than can be made
            await asyncio.sleep(TICK_SECONDS)

    async def step(self) -> int:
        """Make one event; its sequence number."""
        self.made += 1
        account = self._dice.choice(self._writers)
        chance, config = self._dice.random(), self._config
        if self._state.status(account) is not AccountStatus.ACTIVE:
            return self.change_status(account, AccountStatus.ACTIVE)
        if chance < config.account_share:
            return self.change_status(account, AccountStatus.DEACTIVATED)
        if chance < config.account_share + config.identity_share:
            return self.rename(account)
        repository = self._state.opened(account) or await asyncio.to_thread(self._state.live, account)
        if chance < config.account_share + config.identity_share + config.sync_share:
            return self.sync(account, repository)
        beyond = chance - config.account_share - config.identity_share - config.sync_share
        if beyond < config.moved_share:
            return self.move(account)
        if beyond < config.moved_share + config.deleted_share and len(self._writers) > 1:
            return self.delete(account)
        return self.write(account, repository, [self._some_write(account, repository)])

    def repository(self, account: Account) -> LiveRepository:
        """An account's repository, opened if it was not; for commits that a caller makes."""
        return self._state.opened(account) or self._state.live(account)

    def write(self, account: Account, repository: LiveRepository, writes: list[Write]) -> int:
        """Commit writes and tell of it."""
        commit = repository.commit(writes, int_to_tid(self._now_micros() << 10 | account.index % CLOCK_IDS))
        return self.mistelling.tell(self._moment(), _commit_body(account.did, commit))

    def sync(self, account: Account, repository: LiveRepository) -> int:
        """State the repository's head anew, without a change."""
        body = {"did": account.did, "rev": repository.rev, "blocks": repository.commit_car()}
        return self._publish("#sync", lambda: body)

    def change_status(self, account: Account, status: AccountStatus) -> int:
        """Change whether the account is active, and tell of it."""
        self._state.set_status(account, status)
        body: dict[str, Any] = {"did": account.did, "active": status is AccountStatus.ACTIVE}
        if status is not AccountStatus.ACTIVE:
            body["status"] = status.value
        return self._publish("#account", lambda: body)

    def rename(self, account: Account) -> int:
        """Give the account another handle, in the directory too, and tell of it."""
        micros = self._now_micros()
        handle = f"{account.handle.split('.')[0]}-{micros % 10_000}.devnet.test"
        self._state.rename(account, handle)
        self._directory.rename(account, handle, micros // 1000 * 1000)
        return self._publish("#identity", lambda: {"did": account.did, "handle": handle})

    def change_key(self, account: Account, signing_key: str) -> int:
        """Give the account another signing key in the directory, and tell of it; it has not signed anything yet."""
        self._directory.change_key(account, signing_key, self._now_micros() // 1000 * 1000)
        return self._publish("#identity", lambda: {"did": account.did})

    def move(self, account: Account) -> int:
        """Have the account go on at the next host, by the directory too, and tell of it as the new host does."""
        self._move(account)
        self._publish("#identity", lambda: {"did": account.did, "handle": self._state.handle(account)})
        return self._publish("#account", lambda: {"did": account.did, "active": True})

    def steal_away(self, account: Account) -> None:
        """Have the account go on at the next host, by the directory too; the former forgets it, and nobody is told."""
        former = self._state.home(account)
        self._move(account)
        self._state.forget(account, former)

    def _move(self, account: Account) -> None:
        host = (self._state.home(account) + 1) % self._state.population.config.hosts
        self._state.live(account)
        self._state.move(account, host)
        self._directory.move(account, host, self._now_micros() // 1000 * 1000)

    def delete(self, account: Account) -> int:
        """Have the account be gone for ever, and tell of it."""
        self._writers.remove(account)
        return self.change_status(account, AccountStatus.DELETED)

    def _publish(self, kind: str, body: Callable[[], dict[str, Any]]) -> int:
        moment = self._moment()
        return self._firehose.publish(lambda seq: encode_event(kind, {"seq": seq, "time": moment} | body()))

    def _moment(self) -> str:
        return _time_text(self._now_micros() // 1000 * 1000)

    def _some_write(self, account: Account, repository: LiveRepository) -> Write:
        chance = self._dice.random()
        if chance < UPDATE_SHARE:
            return Write(PROFILE_KEY, encode_record(self._profile(account)))
        if chance < UPDATE_SHARE + self._config.delete_share and len(repository.entries) > 1:
            return Write(self._some_key(repository), None)
        collection = CREATED[self._draw(CREATED_STEPS)]
        if not self._post_steps:
            collection = "app.bsky.graph.follow"  # nothing to like
        micros = self._now_micros()
        record = {"$type": collection, "createdAt": _time_text(micros // 1000 * 1000)} | self._fields(collection)
        rkey = int_to_tid(micros << 10 | account.index % CLOCK_IDS)
        return Write(f"{collection}/{rkey}".encode(), encode_record(record))

    def _some_key(self, repository: LiveRepository) -> bytes:
        """Of any record but the profile."""
        first = self._dice.randrange(len(repository.entries) - 1)
        key, other = islice(repository.entries, first, first + 2)
        return other if key == PROFILE_KEY else key

    def _fields(self, collection: str) -> dict[str, Any]:
        number = self._dice.getrandbits(30)
        if collection == "app.bsky.graph.follow":
            accounts = self._state.population.accounts
            return {"subject": accounts[self._draw(self._account_steps)].did}
        if collection == "app.bsky.feed.post":
            record: dict[str, Any] = {"text": phrase("en", number), "langs": ["en"]}
            if number & 1:
                post = self._draw(self._post_steps)
                root = int(self._index.posts.root[post])
                parent_ref = self._index.post_ref(post)
                record["reply"] = {
                    "root": self._index.post_ref(root) if root != NONE else parent_ref,
                    "parent": parent_ref,
                }
            return record
        return {"subject": self._index.post_ref(self._draw(self._post_steps))}

    def _profile(self, account: Account) -> dict[str, Any]:
        return {
            "$type": "app.bsky.actor.profile",
            "displayName": account.handle.split("-")[0].title(),
            "description": phrase("en", self._dice.getrandbits(30)),
            "createdAt": format_datetime(account.created_micros),
        }

    def _draw(self, steps: Sequence[float]) -> int:
        """An index, by the weights whose cumulated sums are `steps`."""
        return min(bisect_right(steps, self._dice.random() * steps[-1]), len(steps) - 1)

    def _now_micros(self) -> int:
        """The time, always rising: revisions must."""
        self._last_micros = max(self._last_micros + 1, time.time_ns() // 1000)
        return self._last_micros


def _commit_body(did: str, commit: LiveCommit) -> dict[str, Any]:
    return {
        "rebase": False,
        "tooBig": False,
        "repo": did,
        "commit": commit.head,
        "rev": commit.rev,
        "since": commit.since,
        "blocks": commit.blocks,
        "ops": [
            {"action": op.action, "path": op.key.decode(), "cid": op.cid} | ({"prev": op.prev} if op.prev else {})
            for op in commit.operations
        ],
        "blobs": [],
        "prevData": commit.prev_data,
    }
