"""What the assets are cut into, and nothing else."""

from typing import Final

import dagster as dg

from zeppelin_pipeline.identity.windows import WINDOWS
from zeppelin_pipeline.warehouse.key_ranges import range_names

#: One listing for each PDS host; added by `pds_list`.
PDS_HOSTS: Final = dg.DynamicPartitionsDefinition(name="pds_hosts")

#: `{host}~{nnnnn}` or `tail~{nnnnn}`; added by `shard_plan`, never removed or changed.
REPO_SHARDS: Final = dg.DynamicPartitionsDefinition(name="repo_shards")

#: Ranges of actor_id.
KEY_RANGES: Final = dg.StaticPartitionsDefinition(range_names())

#: `{nnnnnn}`: so many operations of the PLC directory's export, in its order; the last one is open.
PLC_WINDOWS: Final = dg.DynamicPartitionsDefinition(name=WINDOWS)
