"""Outcomes: what is final, what is a failure, and when a host is given up."""

import pytest

from zeppelin_pipeline.errors import UpstreamError
from zeppelin_pipeline.repos.fetch_outcome import FetchResult, HostBreaker, state_of


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        ("not-found", ("absent", "not-found")),
        ("takendown", ("absent", "takendown")),
        ("suspended", ("absent", "suspended")),
        ("deactivated", ("absent", "deactivated")),
        ("did-gone", ("absent", "not-found")),
        ("http-404", ("failed", "http-404")),
        ("timeout", ("failed", "timeout")),
        ("block-hash", ("failed", "block-hash")),
        ("did-timeout", ("failed", "did-timeout")),
    ],
)
def test_an_outage_is_not_an_account_status(reason: str, outcome: tuple[str, str]) -> None:
    assert state_of(UpstreamError(reason, is_transient=False)) == outcome


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_host_is_given_up_after_failures_in_a_row_that_last() -> None:
    clock = Clock()
    breaker = HostBreaker(3, 10, clock=clock)
    for _ in range(5):
        breaker.fail("connect")
        breaker.check()
    clock.now = 10
    with pytest.raises(UpstreamError, match="host-parked"):
        breaker.check()


@pytest.mark.parametrize("answer", [None, "not-found", "http-404", "block-hash", "rate-limited"])
def test_any_answer_closes_the_row(answer: str | None) -> None:
    breaker = HostBreaker(2, 0, clock=Clock())
    breaker.fail("timeout")
    if answer is None:
        breaker.succeed()
    else:
        breaker.fail(answer)
    breaker.fail("reset")
    breaker.check()
    breaker.fail("http-503")
    with pytest.raises(UpstreamError, match="host-parked"):
        breaker.check()


def test_rates_and_fractions_of_nothing_are_numbers() -> None:
    result = FetchResult("a~00000", 0, 0, 0, {}, {}, 0, 0, 0.0)
    assert (result.failed_fraction, result.repos_per_second, result.bytes_per_second) == (0, 0, 0)
    result = FetchResult("a~00000", 10, 2, 4, {"not-found": 1}, {"timeout": 3}, 100, 1, 2.0)
    assert (result.failed_repos, result.failed_fraction, result.repos_per_second) == (3, 0.3, 4)
