"""The lake of a command, and the shards that a person names."""

from zeppelin_pipeline.errors import ConfigurationError
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.manifests import list_shards
from zeppelin_pipeline.settings import Settings


def open_lake(settings: Settings) -> Lake:
    """The lake of the settings, reached once.

    Raises:
        ConfigurationError: it cannot be reached.
    """
    lake = Lake(settings.lake_url, settings.lake_options)
    lake.reach()
    return lake


def require_shard(lake: Lake, shard: str | None) -> None:
    """Nothing, where no shard is named, or one that is planned: of a misspelt one nothing would be found wrong.

    Raises:
        ConfigurationError: there is no such shard.
    """
    if shard is None:
        return
    shards = list_shards(lake)
    if shard not in shards:
        known = f"they are {shards[0]} … {shards[-1]}" if shards else "none is planned"
        raise ConfigurationError(f"the lake {lake.url} has no shard {shard!r}: {known}")
