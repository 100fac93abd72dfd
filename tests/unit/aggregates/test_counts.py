"""The key ranges of aggregates."""

from itertools import pairwise

import pytest

from zeppelin_pipeline.aggregates.counts import RANGES, range_bounds, range_names


def test_the_ranges_are_all_of_bigint_and_do_not_overlap():
    bounds = [range_bounds(name) for name in range_names()]
    assert (bounds[0][0], bounds[-1][1]) == (-(2**63), 2**63 - 1)
    assert all(before[1] + 1 == after[0] for before, after in pairwise(bounds))
    assert all(low <= high for low, high in bounds)


def test_names_of_ranges_are_distinct_and_in_order():
    assert len(set(range_names())) == RANGES
    assert range_names() == sorted(range_names())


@pytest.mark.parametrize("name", ["40", "-1", "", "zz", "0"])
def test_a_range_that_there_is_not_is_refused(name: str):
    with pytest.raises(ValueError, match="not in list"):
        range_bounds(name)
