"""What goes wrong with a devnet's hosts and relay while it runs, now and then, by dice; all of it passes."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Final

from zeppelin_pipeline.devnet.background import DevnetHandle
from zeppelin_pipeline.devnet.faults import Fault, FaultKind, RelayFaults
from zeppelin_pipeline.devnet.model import DevnetConfig, LiveConfig

#: Seconds between two faults, and how long one of a host stands.
FAULT_SECONDS: Final = 5.0
STANDING_SECONDS: Final = 8.0
_HOST_FAULTS: Final = (
    Fault(FaultKind.RATE_LIMIT, share=0.5, first=20),
    Fault(FaultKind.HTTP_ERROR, share=0.3),
    Fault(FaultKind.RESET, share=0.5),
    Fault(FaultKind.CAR_TRUNCATED, share=0.5),
    Fault(FaultKind.FLIPPED_BYTE, share=0.5),
    Fault(FaultKind.WRONG_SIGNATURE, share=0.2),
    Fault(FaultKind.SLOW, share=0.3, delay_seconds=0.5),
    Fault(FaultKind.DEAD, share=0.3),
)


def faulty_network(*, repos: int, mean_records: float, rate: float, seed: int, backlog_seconds: float) -> DevnetConfig:
    """A network in which accounts come, move and go, repositories do not grow, and the relay mistells.

    Shares are such that at any rate about two repositories a second have to be fetched again.
    """
    share = min(1.0 / max(rate, 1.0), 0.01)
    backlog = max(int(rate * backlog_seconds), 200)
    return DevnetConfig(
        repos=repos,
        hosts=3,
        seed=seed,
        mean_records=mean_records,
        live=LiveConfig(
            events_per_second=rate,
            backlog_events=backlog,
            queue_events=backlog,
            moved_share=share / 10,
            deleted_share=share / 30,
            delete_share=0.48,
            faults=RelayFaults(dropped=share / 2, repeated=0.01, forged=share / 2, broken=share / 50),
        ),
    )


class Dice:
    """Throws a fault at a network, and takes back those that have stood long enough."""

    def __init__(self, network: DevnetHandle, seed: int) -> None:
        self._network = network
        self._random = random.Random(seed)
        self._mended_at: dict[int, float] = {}
        self.thrown: Counter[str] = Counter()

    def throw(self, now: float) -> None:
        """One more fault, of a host or of the relay."""
        for host, at in list(self._mended_at.items()):
            if now >= at:
                self._network.clear_faults(host)
                del self._mended_at[host]
        name, act = self._random.choice([*self._relay_faults(), *self._host_faults(now)])
        self.thrown[name] += 1
        act()

    def mend(self) -> None:
        """All hosts are well again."""
        self._network.clear_faults()
        self._mended_at.clear()

    def _relay_faults(self) -> list[tuple[str, Callable[[], None]]]:
        network = self._network
        return [
            ("disconnect", network.hang_up),
            ("disconnect and replay", lambda: network.hang_up(rewound_events=500)),
            ("events forgotten", lambda: network.hang_up(is_forgetting=True)),
        ]

    def _host_faults(self, now: float) -> list[tuple[str, Callable[[], None]]]:
        host = self._random.choice(self._network.hosts).number

        def put(fault: Fault) -> Callable[[], None]:
            def act() -> None:
                self._network.set_fault(host, fault)
                self._mended_at[host] = now + STANDING_SECONDS

            return act

        return [(fault.kind.value, put(fault)) for fault in _HOST_FAULTS]
