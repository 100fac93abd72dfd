"""Events whose signature is still to be checked, found and marked; who knows their keys is told in `unknown_keys`."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa


def unsigned_rows(table: pa.Table) -> dict[int, tuple[str, bytes]]:
    """Of the events whose signature is still to be checked, by position: the account and the signed commit."""
    places = np.flatnonzero(table["is_unsigned"].to_numpy()).tolist()
    part = table.select(["did", "commit"]).take(places).to_pylist() if places else []
    return {place: (row["did"], row["commit"]) for place, row in zip(places, part, strict=True)}


def with_signed(table: pa.Table, places: Iterable[int]) -> pa.Table:
    """The table with the events at these positions as signed."""
    flags = table["is_unsigned"].to_pylist()
    for place in places:
        flags[place] = False
    index = table.schema.get_field_index("is_unsigned")
    return table.set_column(index, table.schema.field(index), pa.array(flags, pa.bool_()))
