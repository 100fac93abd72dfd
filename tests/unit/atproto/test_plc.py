from typing import Any

import orjson
import pytest

from tests.fakes.plc import OPERATOR, RECOVERY, SIGNING, did_key, legacy_genesis, operation, operation_json, tombstone
from zeppelin_pipeline.atproto.plc import (
    cid_text,
    decode_operation,
    did_document,
    did_of_genesis,
    document_data,
    parse_operation,
    signer_rank,
)
from zeppelin_pipeline.errors import InvalidDataError

#: From the public directory: the genesis of an account of the network's first months.
PUBLIC_LEGACY = {
    "sig": "7QTzqO1BcL3eDzP4P_YBxMmv5U4brHzAItkM9w5o8gZA7ElZkrVYEwsfQCfk5EoWLk58Z1y6fyNP9x1pthJnlw",
    "prev": None,
    "type": "create",
    "handle": "dan.bsky.social",
    "service": "https://bsky.social",
    "signingKey": "did:key:zQ3shP5TBe1sQfSttXty15FAEHV1DZgcxRZNxvEWnPfLFwLxJ",
    "recoveryKey": "did:key:zQ3shhCGUqDKjStzuDxPkTxN6ujddP4RkEKJJouJGRRkaLGbg",
}
PUBLIC_LEGACY_DID = "did:plc:yk4dd2qkboz2yv6tpubpc6co"


def reason_of(value: Any) -> str:
    with pytest.raises(InvalidDataError) as caught:
        parse_operation(value)
    return caught.value.reason


def test_a_legacy_operation_of_the_public_directory_gives_its_did_and_is_signed_by_its_own_key():
    operation = parse_operation(PUBLIC_LEGACY)
    assert operation.data is not None
    assert did_of_genesis(operation) == PUBLIC_LEGACY_DID
    assert signer_rank(operation, operation.data.rotation_keys) == 1
    assert operation.data.rotation_keys == (PUBLIC_LEGACY["recoveryKey"], PUBLIC_LEGACY["signingKey"])


def test_a_legacy_operation_speaks_as_the_one_that_replaced_it():
    data = legacy_genesis().data
    assert data is not None
    assert data.rotation_keys == (did_key(RECOVERY), did_key(SIGNING))
    assert data.also_known_as == ("at://alice.test",)
    assert data.services["atproto_pds"].endpoint == "https://pds.test"


def test_an_operation_comes_back_from_its_block():
    genesis = operation()
    assert decode_operation(genesis.block) == genesis
    assert genesis.content() == operation_json()


def test_the_rank_of_a_signer_is_its_place_among_the_rotation_keys():
    keys = [did_key(RECOVERY), did_key(OPERATOR)]
    assert signer_rank(operation(signer=RECOVERY), keys) == 0
    assert signer_rank(operation(signer=OPERATOR), keys) == 1
    assert signer_rank(operation(signer=SIGNING), keys) is None
    assert signer_rank(operation(signer=OPERATOR), ["did:key:zNoKey", *keys]) == 2


def test_the_document_is_the_one_that_the_directory_writes():
    data = operation().data
    assert data is not None
    did = "did:plc:" + "a" * 24
    document = did_document(did, data)
    assert document["alsoKnownAs"] == ["at://alice.test"]
    assert document["verificationMethod"] == [
        {
            "id": f"{did}#atproto",
            "type": "Multikey",
            "controller": did,
            "publicKeyMultibase": did_key(SIGNING).removeprefix("did:key:"),
        }
    ]
    assert document["service"] == [
        {"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": "https://pds.test"}
    ]
    assert document["@context"][-1] == "https://w3id.org/security/suites/secp256k1-2019/v1"
    assert document_data(did, data)["rotationKeys"] == list(data.rotation_keys)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": "plc_other"}, "plc-shape"),
        ({"extra": 1}, "plc-shape"),
        ({"rotationKeys": "did:key:z"}, "plc-shape"),
        ({"rotationKeys": [1]}, "plc-shape"),
        ({"services": {"atproto_pds": {"type": "x"}}}, "plc-shape"),
        ({"verificationMethods": {"atproto": None}}, "plc-shape"),
        ({"prev": "not a cid"}, "plc-prev"),
        ({"sig": "short"}, "plc-signature-form"),
        ({"sig": "+" * 86}, "plc-signature-form"),
        ({"sig": "A" * 85 + "B"}, "plc-signature-form"),
        ({"sig": "A" * 86 + "=="}, "plc-signature-form"),
    ],
)
def test_what_is_no_operation_is_refused_with_its_reason(changes: dict[str, Any], reason: str):
    assert reason_of(operation_json() | changes) == reason


@pytest.mark.parametrize("value", [None, [], "text", {}, {"type": ["plc_operation"]}])
def test_other_values_are_refused(value: Any):
    assert reason_of(value) == "plc-shape"


def test_a_tombstone_says_nothing_but_what_it_ends():
    genesis = operation()
    end = tombstone(genesis)
    assert end.data is None
    assert end.prev == genesis.cid
    assert cid_text(genesis).startswith("bafyrei")


@pytest.mark.parametrize("levels", range(940, 1020, 3))
def test_however_deep_a_type_is_nested_it_is_none(levels: int) -> None:
    with pytest.raises(InvalidDataError, match="plc-shape"):
        parse_operation(orjson.loads('{"type":' + "[" * levels + "]" * levels + "}"))
