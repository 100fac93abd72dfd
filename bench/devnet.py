"""How fast a devnet is made: records a second on one core, from the seed to signed CARs in memory.

    uv run python -m bench.devnet [--repos N] [--rounds N]

Everything is counted: keys, DIDs, the index of posts, records, DAG-CBOR, hashes, trees, signatures, CAR framing. The
budget is 30,000 records a second.
"""

import argparse
import statistics
import time
from dataclasses import dataclass

from zeppelin_pipeline.devnet.model import DevnetConfig
from zeppelin_pipeline.devnet.repositories import make_repository_maker

BUDGET_RECORDS_PER_SECOND = 30_000


@dataclass(frozen=True, slots=True)
class Round:
    """One network made: what it was, and the CPU seconds of its two steps."""

    records: int
    car_bytes: int
    plan_seconds: float
    make_seconds: float

    @property
    def records_per_second(self) -> float:
        """Over both steps."""
        return self.records / (self.plan_seconds + self.make_seconds)


def run_round(config: DevnetConfig) -> Round:
    started = time.process_time()
    maker = make_repository_maker(config)
    planned = time.process_time()
    records = car_bytes = 0
    for account in maker.population.accounts:
        made = maker.make(account)
        records += made.records
        car_bytes += len(made.car)
    return Round(records, car_bytes, planned - started, time.process_time() - planned)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repos", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rounds = [run_round(DevnetConfig(repos=options.repos, seed=options.seed)) for _ in range(options.rounds)]
    first, rate = rounds[0], statistics.median(one.records_per_second for one in rounds)
    print(f"input: {options.repos} repositories, {first.records:,} records, {first.car_bytes / 1e6:.1f} MB of CARs")
    print(f"plan (accounts, index): median {statistics.median(one.plan_seconds for one in rounds):.2f} s of CPU")
    print(f"make (records to CARs): median {statistics.median(one.make_seconds for one in rounds):.2f} s of CPU")
    print(f"records a second, one core, median of {options.rounds}: {rate:,.0f}", end=" ")
    print(f"({rate / BUDGET_RECORDS_PER_SECOND:.1f} times the budget of {BUDGET_RECORDS_PER_SECOND:,})")


if __name__ == "__main__":
    main()
