"""The one list of the tables that hold records: which dataset of the lake is loaded into which, in which order."""

from typing import Final

from zeppelin_pipeline.warehouse.rows import SOCIAL_TABLES, WHOLE_TABLES, TableMap

#: By dataset, in the order in which they are loaded.
TABLES: Final[dict[str, TableMap]] = SOCIAL_TABLES | WHOLE_TABLES
