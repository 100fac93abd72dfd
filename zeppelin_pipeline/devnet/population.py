"""Who is on the network: keys, DIDs, handles, hosts, sizes and popularity. What they write is in the record modules."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from zeppelin_pipeline.atproto.crypto import PrivateKey
from zeppelin_pipeline.devnet.faults import FaultKind
from zeppelin_pipeline.devnet.model import FIRST_MICROS, LAST_MICROS, Account, AccountStatus, DevnetConfig
from zeppelin_pipeline.devnet.operations import Operation, plc_did, signed_operation, web_did
from zeppelin_pipeline.devnet.seeds import seeded_bytes
from zeppelin_pipeline.devnet.streams import stream

NAMES = (
    *("ada", "alan", "barbara", "blaise", "carl", "claude", "dennis", "dorothy", "edith", "emmy", "evelyn", "frances"),
    *("george", "grace", "hedy", "ida", "jean", "joan", "john", "karen", "katherine", "kurt", "leslie", "linus"),
    *("lise", "margaret", "mary", "niklaus", "radia", "rosalind", "sophie", "stephanie", "tim", "vera"),
)
SIZE_SIGMA = 1.5
"""Spread of the log-normal sizes: the median is then a third of the mean, as on the public network."""
LARGE_EVERY = 650
"""One repository in so many has more than 20,000 records (a network of 2,000 has three)."""
LARGE_SIZES = (20_500, 26_000)


@dataclass(frozen=True)
class Population:
    """All accounts, with what their records are drawn from.

    Attributes:
        config: what made them.
        accounts: by index.
        geneses: the genesis operation of each account.
        sizes: intended records of each repository, int64.
        popularity: weight of each account as a target, float64, summing to 1.
    """

    config: DevnetConfig
    accounts: tuple[Account, ...]
    geneses: tuple[Operation, ...]
    sizes: NDArray[np.int64]
    popularity: NDArray[np.float64]

    @cached_property
    def by_did(self) -> dict[str, Account]:
        """The accounts by DID."""
        return {account.did: account for account in self.accounts}

    @cached_property
    def by_handle(self) -> dict[str, Account]:
        """The accounts by handle."""
        return {account.handle: account for account in self.accounts}

    @cached_property
    def popularity_steps(self) -> NDArray[np.float64]:
        """Cumulated popularity, for weighted draws by bisection."""
        return np.cumsum(self.popularity)

    def on_host(self, host: int) -> list[Account]:
        """The accounts that a host lists, in its own order: its own, and older copies of those that moved away."""
        return [account for account in self.accounts if host in {account.host, account.former_host}]

    def signing_key(self, account: Account) -> PrivateKey:
        """The key that signs the account's commits."""
        return PrivateKey.from_bytes(account.curve, account.secret)


def rotation_key(seed: int) -> PrivateKey:
    """The one rotation key of all accounts, held by the operator as on a real PDS."""
    return PrivateKey.from_bytes("k256", seeded_bytes(seed, "rotation-key"))


def make_population(config: DevnetConfig) -> Population:
    """All accounts of the network, about 5,000 a second."""
    rng = stream(config.seed, "population")
    count = config.repos
    hosts = _hosts(rng, count, config.hosts)
    statuses = _statuses(rng, count, config.inactive_share)
    if config.labels:
        statuses[0] = AccountStatus.ACTIVE  # the labeler
    statuses[1 : 1 + len(config.web_ports)] = [AccountStatus.ACTIVE] * len(config.web_ports)
    created = FIRST_MICROS + np.sort(rng.integers(0, (LAST_MICROS - FIRST_MICROS) // 2, count)) // 1000 * 1000
    is_p256 = rng.random(count) < config.p256_share
    operator = rotation_key(config.seed)
    made = [
        _account(config, index, operator, hosts[index], statuses[index], int(created[index]), bool(is_p256[index]))
        for index in range(count)
    ]
    return Population(
        config=config,
        accounts=tuple(account for account, _ in made),
        geneses=tuple(genesis for _, genesis in made),
        sizes=_sizes(rng, count, config.mean_records),
        popularity=_popularity(rng, count),
    )


def _account(
    config: DevnetConfig,
    index: int,
    operator: PrivateKey,
    host: int,
    status: AccountStatus,
    created_micros: int,
    is_p256: bool,
) -> tuple[Account, Operation]:
    curve = "p256" if is_p256 else "k256"
    secret = seeded_bytes(config.seed, "signing-key", index)
    signing_key = PrivateKey.from_bytes(curve, secret).public_key.to_did_key()
    handle = f"{NAMES[index % len(NAMES)]}-{index}.devnet.test"
    # The genesis names a host that is no more: DIDs then do not depend on ports. directory.py adds the move to today's.
    genesis = signed_operation(operator, signing_key, handle, f"https://pds-{host}.devnet.test", None)
    is_web = 0 < index <= len(config.web_ports)
    did = web_did(config.web_ports[index - 1]) if is_web else plc_did(genesis)
    former_host = _former_host(config, did, host)
    return Account(index, did, handle, host, former_host, curve, secret, status, created_micros), genesis


def _former_host(config: DevnetConfig, did: str, host: int) -> int | None:
    for number, fault in config.faults:
        if fault.kind is FaultKind.TWO_HOSTS and number != host and fault.hits(did):
            return number
    return None


def _hosts(rng: np.random.Generator, accounts: int, hosts: int) -> list[int]:
    weights = 1.0 / np.arange(1, hosts + 1)
    chosen = rng.choice(hosts, accounts, p=weights / weights.sum())
    fixed = min(hosts, accounts)
    chosen[:fixed] = np.arange(fixed)  # no host is empty
    return [int(host) for host in chosen]


def _statuses(rng: np.random.Generator, count: int, share: float) -> list[AccountStatus]:
    statuses = [AccountStatus.ACTIVE] * count
    inactive = round(count * share)
    kinds = (AccountStatus.DEACTIVATED, AccountStatus.TAKENDOWN, AccountStatus.SUSPENDED)
    for place, index in enumerate(rng.choice(count, inactive, replace=False)):
        statuses[int(index)] = kinds[place % len(kinds)]
    return statuses


def _sizes(rng: np.random.Generator, count: int, mean: float) -> NDArray[np.int64]:
    """Log-normal sizes with the exact mean, a few large ones planted, none so large that it rules a small network."""
    total = mean * count
    sizes = rng.lognormal(0.0, SIZE_SIGMA, count)
    large = min(count // LARGE_EVERY, int(total // (4 * LARGE_SIZES[1])))
    cap = min(LARGE_SIZES[0] - 1, total / 20 + mean)
    for _ in range(8):  # capping lowers the mean, rescaling restores it: settles within a few rounds
        sizes = np.minimum(sizes * (total / sizes.sum()), cap)
    places = rng.choice(count, large, replace=False)
    planted = rng.integers(*LARGE_SIZES, size=large)
    others = np.ones(count, bool)
    others[places] = False
    sizes[others] *= (total - planted.sum()) / sizes[others].sum()
    sizes[places] = planted
    return np.maximum(np.rint(sizes), 1).astype(np.int64)


def _popularity(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Zipf-like: the account of rank r has weight 1/(r+2), ranks dealt at random."""
    weights = 1.0 / (np.arange(count) + 2.0)
    weights /= weights.sum()
    rng.shuffle(weights)
    return weights
