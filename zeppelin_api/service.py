"""What the methods share while the API runs: the warehouse, and what the settings decide."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Final, TypeAlias

from fastapi import Depends, Request

from zeppelin_api.db import Database, Session
from zeppelin_api.feed_services import FeedServices
from zeppelin_api.hydration.health import Pulse
from zeppelin_api.hydration.labels import hydrate_labels, load_labeler_dids
from zeppelin_api.hydration.overview import OverviewReader
from zeppelin_api.hydration.search_tables import SearchTables
from zeppelin_api.hydration.state import Hydration
from zeppelin_api.labelers import ACCEPT_HEADER, KnownLabelers, Labelers, accepted_labelers
from zeppelin_api.media.blobs import Blobs
from zeppelin_api.media.images import Images
from zeppelin_api.metrics import RequestMetrics
from zeppelin_api.policy import Policy
from zeppelin_api.settings import ApiSettings
from zeppelin_api.signing_key import load_signing_key
from zeppelin_api.views.context import ViewContext
from zeppelin_api.views.media_urls import MediaUrls
from zeppelin_pipeline.atproto.crypto import PublicKey

_ACCEPT_HEADER: Final = ACCEPT_HEADER.encode()


@dataclass(frozen=True, slots=True)
class Service:
    """One running API."""

    settings: ApiSettings
    database: Database
    policy: Policy
    urls: MediaUrls
    public_key: PublicKey | None
    pulse: Pulse
    overview: OverviewReader
    metrics: RequestMetrics
    feed_services: FeedServices
    blobs: Blobs
    images: Images
    labelers: KnownLabelers = field(default_factory=KnownLabelers)
    search_tables: SearchTables = field(default_factory=SearchTables)

    @classmethod
    def from_settings(cls, settings: ApiSettings, database: Database | None = None) -> "Service":
        """A service; its database connects when it is entered.

        Raises:
            ConfigurationError: the signing key's file holds no key.
        """
        key_file = settings.signing_key_file
        database = database or Database(settings)
        blobs = Blobs(settings, database)
        return cls(
            settings,
            database,
            Policy(settings.third_party_blocks_hide, settings.detached_quotes_hide),
            MediaUrls(
                settings.image_url_pattern, settings.video_playlist_url_pattern, settings.video_thumbnail_url_pattern
            ),
            None if key_file is None else load_signing_key(key_file).public_key,
            Pulse(database),
            OverviewReader(database, settings),
            RequestMetrics(),
            FeedServices(settings),
            blobs,
            Images(settings, blobs),
        )

    async def view_context(self, session: Session, state: Hydration) -> ViewContext:
        """What the views of one answer are made from, labels included: at most one query for those."""
        await hydrate_labels(session, state)
        return ViewContext(state, self.urls, self.policy, datetime.now(UTC))


def _service(request: Request) -> Service:
    return request.app.state.service


ServiceDep: TypeAlias = Annotated[Service, Depends(_service)]


class Sessions:
    """Connections for the parts of one request, in which the labelers count that it asks for.

    Attributes:
        labelers: of these, those that there are; None before the first connection.
    """

    def __init__(self, service: Service, asked: str | None) -> None:
        """Of a request with that header `atproto-accept-labelers`.

        Raises:
            ApiError: 400, the header is malformed.
        """
        settings = service.settings
        self._service = service
        self._wanted = accepted_labelers(asked, settings.labelers, settings.takedown_labelers)
        self.labelers: Labelers | None = None

    def __call__(self) -> AbstractAsyncContextManager[Session]:
        """A connection."""
        is_due = bool(self._wanted.dids) and self._service.labelers.is_due
        return self._after_labelers() if is_due else self._lent()

    def _lent(self) -> AbstractAsyncContextManager[Session]:
        self.labelers = self._service.labelers.available(self._wanted)
        return self._service.database.session(self.labelers)

    @asynccontextmanager
    async def _after_labelers(self) -> AsyncGenerator[Session]:
        known = self._service.labelers
        known.begin()
        async with self._service.database.session() as session:
            known.note(await load_labeler_dids(session))
        async with self._lent() as session:
            yield session


def sessions_of(service: Service, headers: Iterable[tuple[bytes, bytes]]) -> Sessions:
    """The connections of a request with these headers, their names in lower case."""
    asked = [value.decode("latin-1") for name, value in headers if name == _ACCEPT_HEADER]
    return Sessions(service, ", ".join(asked) if asked else None)


def _sessions(service: ServiceDep, request: Request) -> Sessions:
    return sessions_of(service, request.headers.raw)


#: Gives a connection for a part of the method, which waits for others meanwhile.
SessionsDep: TypeAlias = Annotated[Sessions, Depends(_sessions)]


async def _session(sessions: SessionsDep) -> AsyncGenerator[Session]:
    async with sessions() as session:
        yield session


#: A connection for as long as the method runs.
SessionDep: TypeAlias = Annotated[Session, Depends(_session, scope="function")]
