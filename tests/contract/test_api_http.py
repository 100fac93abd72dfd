"""The HTTP of the API, apart from what methods answer: routes, errors, CORS, the DID document. No database is there."""

from collections.abc import AsyncGenerator
from pathlib import Path

import httpx2
import pytest

from tests.api_client import OUTPUTS, ApiClient, running_api
from tests.api_server import serving
from zeppelin_api.app import create_app
from zeppelin_api.settings import ApiSettings
from zeppelin_pipeline.atproto.crypto import PublicKey
from zeppelin_pipeline.errors import ConfigurationError

NO_DATABASE = "postgresql://127.0.0.1:1/nothing"


@pytest.fixture
async def api() -> AsyncGenerator[ApiClient]:
    async with running_api(NO_DATABASE, pool_timeout_seconds=0.05) as client:
        yield client


async def test_the_health_is_told_while_the_database_is_away(api: ApiClient):
    answer = await api.http.get("/xrpc/_health")

    assert answer.status_code == 503
    assert answer.json()["version"]
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("verb", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("nsid", ["app.bsky.feed.getTimeline", "test.not.there", "app.bsky.feed.getpoststhread"])
async def test_a_method_that_is_not_served_is_not_implemented(api: ApiClient, verb: str, nsid: str):
    answer = await api.http.request(verb, f"/xrpc/{nsid}")

    assert answer.status_code == 501
    assert answer.json() == {"error": "MethodNotImplemented", "message": "Method Not Implemented"}


@pytest.mark.parametrize(
    ("path", "status"), [("/xrpc/app.bsky.actor.getProfile/", 501), ("/status.json/", 404), ("/robots.txt/", 404)]
)
async def test_nobody_is_sent_to_a_host_that_the_client_names(api: ApiClient, path: str, status: int):
    answer = await api.http.get(path, headers={"host": "elsewhere.test"})

    assert (answer.status_code, "location" in answer.headers) == (status, False)


async def test_a_query_cannot_be_posted(api: ApiClient):
    answer = await api.http.post("/xrpc/app.bsky.actor.getProfile")

    assert (answer.status_code, answer.json()["error"]) == (400, "InvalidRequest")


@pytest.mark.parametrize("path", ["/", "/xrpc/app.bsky.unspecced.getConfig", "/robots.txt"])
def test_what_can_be_got_can_be_asked_for_its_head(path: str):
    with serving(create_app(ApiSettings(postgres_url=NO_DATABASE))) as url, httpx2.Client(base_url=url) as client:
        head, whole = client.head(path), client.get(path)

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == whole.headers["content-length"] == str(len(whole.content))


async def test_elsewhere_nothing_is_found(api: ApiClient):
    answer = await api.http.get("/nowhere")

    assert (answer.status_code, answer.json()["error"]) == (404, "NotFound")


DID = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
POST = f"at://{DID}/app.bsky.feed.post/3jzzzzzzzzzzz"


@pytest.mark.parametrize(
    ("nsid", "parameters", "named"),
    [
        ("app.bsky.actor.getProfile", {}, "actor"),
        ("app.bsky.actor.getProfile", {"actor": "not an actor"}, "actor"),
        ("app.bsky.actor.getProfile", {"actor": "did:"}, "actor"),
        ("app.bsky.actor.getProfiles", {}, "actors"),
        ("app.bsky.actor.getProfiles", {"actors": [DID, "bad actor"]}, "actors"),
        ("app.bsky.actor.getProfiles", {"actors": [DID] * 26}, "actors"),
        ("app.bsky.feed.getAuthorFeed", {"actor": DID, "limit": 0}, "limit"),
        ("app.bsky.feed.getAuthorFeed", {"actor": DID, "limit": 101}, "limit"),
        ("app.bsky.feed.getAuthorFeed", {"actor": DID, "limit": "many"}, "limit"),
        ("app.bsky.feed.getAuthorFeed", {"actor": DID, "limit": "1_0"}, "limit"),
        ("app.bsky.feed.getAuthorFeed", {"actor": DID, "limit": "+5"}, "limit"),
        ("app.bsky.feed.getAuthorFeed", {"actor": [DID, DID]}, "actor"),
        ("app.bsky.feed.getAuthorFeed", {"actor": DID, "includePins": "perhaps"}, "includePins"),
        ("app.bsky.feed.getAuthorFeed", {"actor": DID, "includePins": "1"}, "includePins"),
        ("app.bsky.feed.getPosts", {"uris": ["https://example.test/"]}, "uris"),
        ("app.bsky.feed.getPosts", {"uris": [POST] * 26}, "uris"),
        ("app.bsky.feed.getPostThread", {"uri": POST, "depth": -1}, "depth"),
        ("app.bsky.feed.getPostThread", {"uri": POST, "parentHeight": 1001}, "parentHeight"),
        ("app.bsky.feed.getLikes", {"uri": "at://"}, "uri"),
        ("app.bsky.feed.getLikes", {"uri": POST, "cid": "no cid"}, "cid"),
        ("app.bsky.feed.getRepostedBy", {"uri": POST, "limit": 1.5}, "limit"),
        ("app.bsky.graph.getFollowers", {"actor": ""}, "actor"),
        ("app.bsky.graph.getFollows", {"actor": DID, "limit": -5}, "limit"),
        ("com.atproto.identity.resolveHandle", {"handle": DID}, "handle"),
        ("com.atproto.repo.getRecord", {"repo": DID, "collection": "posts", "rkey": "self"}, "collection"),
        ("com.atproto.repo.getRecord", {"repo": DID, "collection": "app.bsky.feed.post", "rkey": ".."}, "rkey"),
    ],
)
async def test_a_bad_parameter_is_an_invalid_request_that_names_it(
    nsid: str, parameters: dict[str, object], named: str, postgres_url: str
):
    async with running_api(postgres_url) as api:
        answer = await api.http.get(f"/xrpc/{nsid}", params=parameters)  # pyright: ignore[reportArgumentType]

    assert answer.status_code == 400
    assert answer.json()["error"] == "InvalidRequest"
    assert answer.json()["message"].startswith(f"Invalid parameter {named}: ")


async def test_every_origin_may_call(api: ApiClient):
    asked = {"Origin": "https://client.test", "Access-Control-Request-Method": "GET"}
    labelers = {"Access-Control-Request-Headers": "atproto-accept-labelers,authorization"}

    preflight = await api.http.options("/xrpc/app.bsky.actor.getProfile", headers=asked | labelers)
    answer = await api.http.get("/xrpc/test.not.there", headers=asked)

    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "atproto-accept-labelers" in preflight.headers["access-control-allow-headers"]
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_the_did_document_names_the_services_and_the_key(tmp_path: Path):
    path = tmp_path / "keys" / "signing.key"
    settings = {"did": "did:web:api.test", "signing_key_file": path}
    async with running_api(NO_DATABASE, **settings) as api:
        document = (await api.http.get("/.well-known/did.json")).json()
    async with running_api(NO_DATABASE, **settings) as api:
        assert (await api.http.get("/.well-known/did.json")).json() == document

    assert document["id"] == "did:web:api.test"
    assert document["service"] == [
        {"id": "#bsky_appview", "type": "BskyAppView", "serviceEndpoint": "https://api.test"},
        {"id": "#bsky_notif", "type": "BskyNotificationService", "serviceEndpoint": "https://api.test"},
    ]
    (method,) = document["verificationMethod"]
    assert (method["id"], method["type"]) == ("did:web:api.test#atproto", "Multikey")
    assert PublicKey.from_multibase(method["publicKeyMultibase"]).curve == "k256"
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_key_file_that_holds_no_key_is_a_fault_of_the_settings(tmp_path: Path):
    path = tmp_path / "signing.key"
    path.write_text("not a key")

    with pytest.raises(ConfigurationError, match=str(path)):
        async with running_api(NO_DATABASE, signing_key_file=path):
            pass


async def test_a_local_service_is_reached_without_tls_and_publishes_no_key_unless_it_has_one(api: ApiClient):
    document = (await api.http.get("/.well-known/did.json")).json()

    assert {service["serviceEndpoint"] for service in document["service"]} == {"http://localhost:2584"}
    assert document["verificationMethod"] == []


async def test_a_service_with_another_kind_of_did_has_no_document_here():
    async with running_api(NO_DATABASE, did="did:plc:aaaaaaaaaaaaaaaaaaaaaaaa") as api:
        answer = await api.http.get("/.well-known/did.json")

    assert (answer.status_code, answer.json()["error"]) == (404, "NotFound")


async def test_the_documentation_lists_every_method_by_its_nsid(api: ApiClient):
    document = (await api.http.get("/openapi.json")).json()

    operations = {path.removeprefix("/xrpc/"): item["get"] for path, item in document["paths"].items()}
    for nsid in OUTPUTS:
        assert operations[nsid]["operationId"] == nsid
        assert operations[nsid]["description"]
        assert {"200", "400", "503", "504"} <= set(operations[nsid]["responses"])
        assert "422" not in operations[nsid]["responses"]
    assert (await api.http.get("/docs")).status_code == 200


async def test_a_failure_that_nobody_foresaw_is_a_bare_500(api: ApiClient, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("zeppelin_api.routers.service_routes.json_response", fail)
    answer = await api.http.get("/.well-known/did.json")

    assert answer.status_code == 500
    assert answer.json() == {"error": "InternalServerError", "message": "Internal Server Error"}
    assert answer.headers["x-content-type-options"] == "nosniff"
