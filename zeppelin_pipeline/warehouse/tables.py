"""The one list of the tables that hold records: which dataset of the lake is loaded into which, in which order."""

from typing import Final

from zeppelin_pipeline.warehouse.rows import SOCIAL_TABLES, WHOLE_TABLES, TableMap
from zeppelin_pipeline.warehouse.rows_curation import CURATION_TABLES
from zeppelin_pipeline.warehouse.rows_gates import GATE_TABLES

#: By dataset, in the order in which they are loaded.
TABLES: Final[dict[str, TableMap]] = SOCIAL_TABLES | CURATION_TABLES | GATE_TABLES | WHOLE_TABLES
