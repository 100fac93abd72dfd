"""The API's settings: read from the environment, once, by `create_app`."""

from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pydantic import AliasChoices, Field, field_validator
from pydantic_settings import SettingsConfigDict

from zeppelin_pipeline.atproto.syntax import is_did
from zeppelin_pipeline.environment import POSTGRES_SCHEMES, EnvironmentSettings, FromJson, Listed, checked_url


class ApiSettings(EnvironmentSettings):
    """Each field is `ZEPPELIN_API_<NAME>` in the environment, but the database's URL: `ZEPPELIN_POSTGRES_URL`."""

    model_config = SettingsConfigDict(env_prefix="ZEPPELIN_API_", extra="ignore", populate_by_name=True)

    postgres_url: str = Field(
        validation_alias=AliasChoices("ZEPPELIN_POSTGRES_URL", "postgres_url"),
        description="Where the warehouse is; the API only reads.",
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=2584, ge=0, le=65535, description="Port to listen on.")
    did: str = Field(default="did:web:localhost%3A2584", pattern="^did:", description="The service's own DID.")
    signing_key_file: Path | None = Field(
        default=None,
        description="File of the service's k256 key, made when missing. Without one no key is published.",
    )
    workers: int = Field(default=1, ge=1, description="Processes that serve; each has a pool of its own.")
    forwarded_allow_ips: str = Field(
        default="127.0.0.1",
        description="Proxies, by address, network or *, whose X-Forwarded-For tells a client's address.",
    )

    max_url_bytes: int = Field(default=16_384, ge=1024, description="Longest path with its query.")
    max_body_bytes: int = Field(default=65_536, ge=0, description="Longest body; no method that is served needs one.")
    max_concurrent_requests: int = Field(
        default=500, ge=1, description="Requests that a process works on at once; more are answered 503."
    )
    rate_limit_requests: int = Field(
        default=3000, ge=0, description="Requests that an address has in a window, of each process; 0: no limit."
    )
    rate_limit_window_seconds: int = Field(default=300, ge=1, description="How long a window is.")

    pool_max_connections: int = Field(default=10, ge=1, description="Connections to the warehouse, of each process.")
    pool_max_waiting: int = Field(
        default=200, ge=1, description="Requests that may wait for a connection; more are answered 503."
    )
    pool_timeout_seconds: float = Field(default=2.0, gt=0, description="How long a request waits for a connection.")
    statement_timeout_seconds: float = Field(default=5.0, gt=0, description="How long a query may take.")
    overview_seconds: float = Field(
        default=30.0, gt=0, description="How old the numbers of the status page and of /metrics may be."
    )
    overview_timeout_seconds: float = Field(
        default=120.0, gt=0, description="How long those numbers may take: they are of whole tables."
    )

    image_url_pattern: str = Field(
        default="https://cdn.bsky.app/img/{preset}/plain/{did}/{cid}",
        description="URL of an image: {preset} is avatar, banner, feed_thumbnail or feed_fullsize.",
    )
    media_max_bytes: int = Field(default=10_000_000, ge=1, description="Largest blob that /img and /blob fetch.")
    media_max_pixels: int = Field(default=50_000_000, ge=1, description="Largest image that /img decodes.")
    media_max_fetches: int = Field(default=8, ge=1, description="Blobs that are fetched at once.")
    media_timeout_seconds: float = Field(default=20.0, gt=0, description="How long a host may take to give a blob.")
    media_threads: int = Field(default=2, ge=1, description="Images that are resized at once.")
    media_cache_seconds: int = Field(
        default=300,
        ge=0,
        description="How long others may keep an image or blob before they ask whether it is still shown.",
    )
    media_cache_bytes: int = Field(default=64_000_000, ge=0, description="Resized images that are kept in memory.")
    video_playlist_url_pattern: str = Field(
        default="https://video.bsky.app/watch/{did}/{cid}/playlist.m3u8", description="URL of a video's playlist."
    )
    video_thumbnail_url_pattern: str = Field(
        default="https://video.bsky.app/watch/{did}/{cid}/thumbnail.jpg", description="URL of a video's still image."
    )

    plc_url: str = Field(
        default="https://plc.directory",
        validation_alias=AliasChoices("ZEPPELIN_PLC_URL", "plc_url"),
        description="The PLC directory, asked for services of custom feeds that the mirror does not know.",
    )
    allow_private_hosts: bool = Field(
        default=False,
        validation_alias=AliasChoices("ZEPPELIN_ALLOW_PRIVATE_HOSTS", "allow_private_hosts"),
        description="Whether services of custom feeds may be at private addresses, as in a test network.",
    )
    suggested_feeds: FromJson[tuple[str, ...]] = Field(
        default=(), description="AT URIs of the feed generators that getSuggestedFeeds suggests, in their order."
    )
    tagged_suggestions: FromJson[tuple[dict[str, str], ...]] = Field(
        default=(),
        description="What `getTaggedSuggestions` gives to clients: a list in JSON of objects with `tag`, `subjectType`"
        " (actor or feed) and `subject` (a URI).",
    )
    feed_timeout_seconds: float = Field(
        default=10.0, gt=0, description="How long the service of a custom feed may take to answer."
    )
    labelers: Listed = Field(
        default=("did:plc:ar7c4by46qjdydhdevvrndac",),
        description="DIDs of the labelers whose labels are shown to who names none, separated by commas; then their"
        " takedowns count, too. Default: the moderation service of bsky.app.",
    )
    takedown_labelers: Listed = Field(
        default=(),
        description="DIDs of the labelers whose takedowns are enacted for everybody, separated by commas.",
    )

    third_party_blocks_hide: bool = Field(
        default=False, description="Whether a block between two other accounts hides what one says to the other."
    )
    detached_quotes_hide: bool = Field(
        default=False, description="Whether an author can detach their post from its quotes."
    )
    accept_pending_handles: bool = Field(
        default=False,
        description="Whether a handle that is claimed and not yet looked at is shown and found as if it were verified.",
    )
    trusted_verifiers: FromJson[tuple[str, ...]] = Field(
        default=("did:plc:z72i7hdynmk6r22z27h6tvur",),
        description="DIDs of the accounts whose verifications of others are shown, as a list in JSON.",
    )
    age_assurance_regions: FromJson[tuple[dict[str, Any], ...]] = Field(
        default=(),
        description="What `app.bsky.ageassurance.getConfig` gives to clients: a list in JSON of `defs#configRegion`.",
    )
    thread_max_replies: int = Field(
        default=2000, ge=1, description="Replies that one thread answers with, upper levels first."
    )

    @field_validator("postgres_url")
    @classmethod
    def _check_postgres_url(cls, value: str) -> str:
        return checked_url(value, POSTGRES_SCHEMES)

    @field_validator("image_url_pattern", "video_playlist_url_pattern", "video_thumbnail_url_pattern")
    @classmethod
    def _check_pattern(cls, value: str) -> str:
        try:
            value.format(preset="avatar", did="did", cid="cid")
        except (LookupError, ValueError) as error:
            raise ValueError("may name {preset}, {did} and {cid} in braces, and nothing else") from error
        return value

    @field_validator("labelers", "takedown_labelers")
    @classmethod
    def _check_dids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for did in value:
            if not is_did(did):
                raise ValueError(f"{did!r} is not a DID")
        return value

    @cached_property
    def service_endpoint(self) -> str | None:
        """The origin that a did:web names; None for any other DID."""
        method, _, name = self.did.removeprefix("did:").partition(":")
        if method != "web" or not name or ":" in name:
            return None
        host = unquote(name)
        scheme = "http" if host.partition(":")[0] == "localhost" else "https"
        return f"{scheme}://{host}"
