"""A host's limiter: headers obeyed, far-future resets clamped; the retry policy's bounds."""

import asyncio
import time

import pytest

from zeppelin_pipeline.hosts.limits import LONGEST_PARK_SECONDS, MOST_LIMITERS, HostLimiter, HostLimiters, RetryPolicy

NOW = 1_800_000_000.0


def limiter(max_in_flight: int = 50) -> HostLimiter:
    return HostLimiter(max_in_flight, wall_clock=lambda: NOW)


async def observe(subject: HostLimiter, status: int, **headers: str) -> float | None:
    async with subject.slot():
        return subject.observe(status, {name.replace("_", "-"): text for name, text in headers.items()})


@pytest.mark.parametrize("reset", [str(int(NOW) + 30), "30"])
async def test_nothing_left_means_waiting_for_the_reset(reset: str) -> None:
    subject = limiter()
    await observe(subject, 200, ratelimit_remaining="1", ratelimit_reset=reset)
    assert subject.parked_seconds == 0
    await observe(subject, 200, ratelimit_remaining="0", ratelimit_reset=reset)
    assert 29 < subject.parked_seconds <= 30


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (200, {"ratelimit_remaining": "0", "ratelimit_reset": "99999999999999"}),
        (200, {"ratelimit_remaining": "0", "ratelimit_reset": "86400"}),
        (429, {"retry_after": "999999999"}),
        (429, {"retry_after": "Fri, 31 Dec 9999 23:59:59 GMT"}),
        (503, {"retry_after": "86400"}),
    ],
)
async def test_a_far_reset_is_clamped(status: int, headers: dict[str, str]) -> None:
    subject = limiter()
    await observe(subject, status, **headers)
    assert LONGEST_PARK_SECONDS - 1 < subject.parked_seconds <= LONGEST_PARK_SECONDS


@pytest.mark.parametrize(
    "headers",
    [
        {"ratelimit_remaining": "-1", "ratelimit_reset": "10"},
        {"ratelimit_remaining": "0", "ratelimit_reset": "soon"},
        {"ratelimit_remaining": "0"},
        {"ratelimit_remaining": "0", "ratelimit_reset": "9" * 400},
        {"retry_after": "-5"},
        {"retry_after": "soon"},
    ],
)
async def test_headers_that_are_none_are_ignored(headers: dict[str, str]) -> None:
    subject = limiter()
    await observe(subject, 200, **headers)
    assert subject.parked_seconds == 0


async def test_a_refusal_without_a_word_parks_for_a_moment() -> None:
    subject = limiter()
    assert await observe(subject, 429) == 5.0
    assert 4 < subject.parked_seconds <= 5


async def test_a_wait_that_was_asked_for_is_told() -> None:
    assert await observe(limiter(), 429, retry_after="7") == 7
    assert await observe(limiter(), 429, retry_after="Fri, 15 Jan 2027 08:00:09 GMT") == 9


async def test_what_is_in_flight_counts_against_what_is_left() -> None:
    subject = limiter()
    async with subject.slot(), subject.slot(), subject.slot():
        subject.observe(200, {"ratelimit-remaining": "2", "ratelimit-reset": "60"})
        assert subject.parked_seconds > 59  # two others may use up the two that are left
        subject.observe(200, {"ratelimit-remaining": "3", "ratelimit-reset": "60"})
        assert subject.parked_seconds == 0


async def test_a_waiting_request_goes_as_soon_as_an_answer_says_it_may() -> None:
    subject = limiter()

    async def send() -> float:
        async with subject.slot():
            return time.monotonic()

    async with subject.slot():
        subject.observe(200, {"ratelimit-remaining": "0", "ratelimit-reset": "60"})
        waiting = asyncio.create_task(send())
        await asyncio.sleep(0.01)
        assert not waiting.done()
        subject.observe(200, {"ratelimit-remaining": "5", "ratelimit-reset": "60"})
    await asyncio.wait_for(waiting, 1)


async def test_no_more_is_sent_than_the_host_still_grants() -> None:
    subject = HostLimiter(50, longest_park_seconds=60)
    sent = 0

    async def send() -> None:
        nonlocal sent
        async with subject.slot():
            sent += 1
            await asyncio.sleep(0.005)

    await observe(subject, 200, ratelimit_remaining="3", ratelimit_reset="60")
    tasks = [asyncio.create_task(send()) for _ in range(10)]
    await asyncio.sleep(0.05)
    assert sent == 3
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_after_the_reset_all_is_open_again() -> None:
    subject = HostLimiter(50, longest_park_seconds=0.02)
    await observe(subject, 200, ratelimit_remaining="0", ratelimit_reset="60")
    async with asyncio.timeout(1), subject.slot():
        assert subject.parked_seconds == 0


def test_back_off_doubles_within_its_cap() -> None:
    policy = RetryPolicy(base_seconds=1, cap_seconds=5)
    assert [policy.delay_seconds(n, chance=lambda: 1.0) for n in (1, 2, 3, 4, 5000)] == [1, 2, 4, 5, 5]
    assert policy.delay_seconds(1, chance=lambda: 0.0) == 0.5


async def test_of_very_many_hosts_those_that_are_left_alone_are_remembered() -> None:
    limiters = HostLimiters(50)
    parked, asked = limiters.of("https://parked.example"), limiters.of("https://asked.example")
    parked.park(30)
    async with asked.slot():
        for number in range(MOST_LIMITERS):
            limiters.of(f"https://{number}.example")
        assert limiters.of("https://parked.example") is parked
        assert limiters.of("https://asked.example") is asked
    assert limiters.count < MOST_LIMITERS
