"""What a relay tells wrongly of commits: some not at all, some twice, some forged, some beside what is unreadable."""

from collections import Counter
from typing import Any, Final

from zeppelin_pipeline.atproto.car import read_car, write_car
from zeppelin_pipeline.atproto.cid import cid_of
from zeppelin_pipeline.atproto.commit import decode_commit, encode_commit, sign_commit
from zeppelin_pipeline.atproto.crypto import PrivateKey
from zeppelin_pipeline.devnet.encoding import encode_event
from zeppelin_pipeline.devnet.faults import RelayFaults
from zeppelin_pipeline.devnet.firehose import Firehose
from zeppelin_pipeline.devnet.seeds import seeded_bytes
from zeppelin_pipeline.devnet.streams import dice

_UNREADABLE: Final = b"\xa2bop\x01at"


class Mistelling:
    """Publishes commits, rightly or wrongly, by the shares.

    Attributes:
        told: how often each fault was done, by its name.
    """

    def __init__(self, faults: RelayFaults, seed: int, firehose: Firehose) -> None:
        self._faults = faults
        self._firehose = firehose
        self._dice = dice(seed, "mistelling")
        self._forger = PrivateKey.from_bytes("k256", seeded_bytes(seed, "forger"))
        self.told: Counter[str] = Counter()

    def tell(self, moment: str, body: dict[str, Any]) -> int:
        """Tell of a commit, or do not; gives the sequence number of the newest event."""
        if self._does("dropped", self._faults.dropped):
            return self._firehose.last_seq
        if self._does("forged", self._faults.forged):
            self._publish(moment, self._forged(body))
        if self._does("broken", self._faults.broken):
            self._firehose.publish(lambda _seq: _UNREADABLE)
        seq = self._publish(moment, body)
        return self._publish(moment, body) if self._does("repeated", self._faults.repeated) else seq

    def _does(self, name: str, share: float) -> bool:
        is_done = share > 0 and self._dice.random() < share
        if is_done:
            self.told[name] += 1
        return is_done

    def _publish(self, moment: str, body: dict[str, Any]) -> int:
        return self._firehose.publish(lambda seq: encode_event("#commit", {"seq": seq, "time": moment} | body))

    def _forged(self, body: dict[str, Any]) -> dict[str, Any]:
        """The same commit, whole in every block, but that another key has signed it."""
        car = body["blocks"]
        _, spans = read_car(car)
        blocks = {cid: bytes(car[start:end]) for cid, start, end in spans}
        genuine = decode_commit(blocks.pop(body["commit"]))
        block = encode_commit(sign_commit(genuine.did, genuine.rev, genuine.data, self._forger))
        head = cid_of(block)
        return body | {"commit": head, "blocks": write_car(head, ({head: block} | blocks).items())}
