"""How results are shown."""

from zeppelin_pipeline.defs.metadata import counts_table, markdown_table, rate


def test_numbers_are_set_to_the_right_with_thousands_parted() -> None:
    table = markdown_table(["table", "rows"], [("like", 1_234_567), ("post", 89)])
    assert table.value.splitlines() == ["| table | rows |", "| --- | ---: |", "| like | 1,234,567 |", "| post | 89 |"]


def test_a_cell_from_outside_cannot_break_the_table() -> None:
    table = markdown_table(["host", "error"], [("a.example", "5xx | down\nfor ever"), ("b.example", None)])
    assert table.value.splitlines()[2:] == ["| a.example | 5xx \\| down for ever |", "| b.example |  |"]


def test_an_empty_table_says_so() -> None:
    assert markdown_table(["host"], []).value == "none"


def test_counts_are_sorted_with_the_largest_first_and_then_by_name() -> None:
    rows = counts_table("reason", {"b": 1, "c": 5, "a": 1}).value.splitlines()[2:]
    assert rows == ["| c | 5 |", "| a | 1 |", "| b | 1 |"]


def test_a_rate_over_no_time_is_zero() -> None:
    assert rate(10, 4.0) == 2.5
    assert rate(10, 0.0) == 0.0
