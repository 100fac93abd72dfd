"""Whatever a client sends, valid by the documentation or not: answers are as documented, and never a 500."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings, strategies
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.api_server import serving
from tests.factories import WarehouseFactory
from tests.search_index import make_searchable
from zeppelin_api.app import create_app
from zeppelin_api.settings import ApiSettings
from zeppelin_pipeline.stack.embedded_postgres import EmbeddedPostgres

EXAMPLES = 10
#: The same ones that `WarehouseFactory` makes.
DIDS = [f"did:plc:{'a' * 23}{letter}" for letter in "bcd"]
RKEY = "3jzfcijpj2z2a"
POSTS = [f"at://{did}/app.bsky.feed.post/{RKEY}" for did in DIDS]
CIDS = ["bafyreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"]
FORMATS = {
    "did": DIDS,
    "handle": ["alice.test", "nobody.test"],
    "at-identifier": [*DIDS, "alice.test", "nobody.test"],
    "at-uri": POSTS,
    "cid": CIDS,
    "nsid": ["app.bsky.feed.post", "com.example.thing"],
    "record-key": ["self", RKEY],
    "language": ["en", "pt-BR"],
}
for name, values in FORMATS.items():
    schemathesis.openapi.format(name, strategies.sampled_from(values))

GENERATION = GenerationConfig(deterministic=True, max_examples=EXAMPLES)
CONFIG = SchemathesisConfig(projects=ProjectsConfig(default=ProjectConfig(generation=GENERATION)))
DOCUMENT: dict[str, Any] = create_app(ApiSettings(postgres_url="postgresql://127.0.0.1:1/nothing")).framework.openapi()
schema = schemathesis.openapi.from_dict(DOCUMENT, config=CONFIG)


@pytest.fixture(scope="module")
def api_url(postgres_server: EmbeddedPostgres, migrated_template: str) -> Iterator[str]:
    """The API over a few accounts that can be searched, without limits by address."""
    name = f"test_{uuid4().hex}"
    url = postgres_server.create_database(name, template=migrated_template)
    factory = WarehouseFactory(url)
    alice, bob = factory.account("alice.test", {"displayName": "Alice"}), factory.account("bob.test")
    post = factory.post(alice, "hello", rkey=RKEY)
    assert post.uri in POSTS
    factory.like(bob, post)
    factory.follow(bob, alice)
    factory.close()
    make_searchable(url)
    with serving(create_app(ApiSettings(postgres_url=url, rate_limit_requests=0))) as api_url:
        yield api_url
    postgres_server.drop_database(name)


@schema.parametrize()  # pyright: ignore[reportUntypedFunctionDecorator] - the library names no type
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture],
)
def test_every_answer_is_as_documented(case: schemathesis.Case[Any], api_url: str):
    # By the lexicons what is not there is 400, as is a request that breaks them.
    case.call_and_validate(base_url=api_url, excluded_checks=[positive_data_acceptance])
