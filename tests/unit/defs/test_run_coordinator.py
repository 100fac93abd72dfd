"""Which host a partition's run is counted against."""

import pytest

from zeppelin_pipeline.defs.run_coordinator import host_of_partition
from zeppelin_pipeline.warehouse.key_ranges import range_names


@pytest.mark.parametrize(
    ("partition", "host"),
    [
        ("morel.example.com~00003", "morel.example.com"),
        ("127.0.0.1:2601~00000", "127.0.0.1:2601"),
        ("tail~00007", "tail~00007"),
        ("morel.example.com", "morel.example.com"),
        ("localhost:2583", "localhost:2583"),
        ("", None),
    ],
)
def test_a_partition_is_counted_against_the_host_that_it_asks(partition: str, host: str | None) -> None:
    assert host_of_partition(partition) == host


def test_no_key_range_is_taken_for_a_host() -> None:
    assert {host_of_partition(key_range) for key_range in range_names()} == {None}
