"""The settings of our pipeline over the official network. The backfill itself is that of all tests."""

from pathlib import Path

from tests.network.official import Network
from zeppelin_pipeline.settings import Settings


def settings_for(network: Network, postgres_url: str, home: Path) -> Settings:
    """Both PDSes are known by hand; one has more accounts than a bundle takes and more than go in one shard."""
    return Settings.load(
        home=home,
        postgres_url=postgres_url,
        hosts=tuple(network.pds_urls.values()),
        relay_urls=(),
        plc_url=network.plc_url,
        plc_fresh_seconds=3600,
        allow_private_hosts=True,
        handle_resolvers=tuple(f"{name}.test={url}" for name, url in network.pds_urls.items()),
        tail_limit=5,
        shard_size=4,
    )
