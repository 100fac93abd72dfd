"""The key ranges that derived tables are cut into."""

from itertools import pairwise

import pyarrow as pa
import pytest

from zeppelin_pipeline.warehouse.key_ranges import (
    RANGES,
    SHIFT,
    adjacent_ranges,
    name_of_upper_bits,
    range_bounds,
    range_names,
    ranges_of,
)


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


def test_the_ranges_of_keys_are_those_whose_bounds_they_lie_in():
    for number, name in enumerate(range_names()):
        assert ranges_of(pa.array([None, *range_bounds(name)], pa.int64())) == {number}
    ends = pa.array([-(2**63), 2**63 - 1, None, 0], pa.int64())
    assert ranges_of(ends) == {0, RANGES // 2, RANGES - 1}
    assert ranges_of(pa.array([None], pa.int64())) == set()


def test_upper_bits_of_an_account_name_its_range():
    for name in range_names():
        assert [name_of_upper_bits(bound >> SHIFT) for bound in range_bounds(name)] == [name, name]


def test_adjacent_ranges_are_together_in_order_up_to_a_number():
    assert list(adjacent_ranges(["0a", "3f", "09", "0b", "11", "0c"], 3)) == [
        ["09", "0a", "0b"],
        ["0c"],
        ["11"],
        ["3f"],
    ]
    assert list(adjacent_ranges(["02", "01"], 1)) == [["01"], ["02"]]
    assert list(adjacent_ranges(range_names(), RANGES)) == [range_names()]
    assert list(adjacent_ranges([], 5)) == []
