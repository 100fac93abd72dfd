"""Shares of addresses."""

from zeppelin_api.shares import Shares


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_an_address_has_a_window_from_its_first_request_on():
    clock = Clock()
    shares = Shares(60, clock)

    shares.take("a")
    clock.now += 59
    window = shares.take("a")
    assert (window.requests, shares.seconds_left(window)) == (2, 1)
    assert shares.take("b").requests == 1
    clock.now += 1
    assert shares.take("a").requests == 1
    assert shares.take("b").requests == 2


def test_addresses_that_come_no_more_are_forgotten():
    clock = Clock()
    shares = Shares(60, clock)

    for number in range(100):
        shares.take(str(number))
        clock.now += 1

    assert len(shares) == 60
