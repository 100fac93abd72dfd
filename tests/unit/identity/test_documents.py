"""DID documents: what they say, and what hostile ones do not."""

from typing import Any

import orjson
import pytest

from zeppelin_pipeline.atproto.crypto import PrivateKey
from zeppelin_pipeline.errors import InvalidDataError
from zeppelin_pipeline.identity.documents import DidDocument, parse_document

DID = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"
KEY = PrivateKey.from_bytes("k256", b"\1" * 32).public_key.to_multibase()
LABEL_KEY = PrivateKey.from_bytes("p256", b"\2" * 32).public_key.to_multibase()
DOCUMENT: dict[str, Any] = {
    "@context": ["https://www.w3.org/ns/did/v1"],
    "id": DID,
    "alsoKnownAs": ["https://example.com", "at://Ada.Example.com", "at://second.example.com"],
    "verificationMethod": [
        {"id": f"{DID}#atproto", "type": "Multikey", "controller": DID, "publicKeyMultibase": KEY},
        {"id": "#atproto_label", "type": "Multikey", "controller": DID, "publicKeyMultibase": LABEL_KEY},
    ],
    "service": [
        {"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": "https://pds.example.com/"},
        {"id": f"{DID}#atproto_labeler", "type": "AtprotoLabeler", "serviceEndpoint": "https://labels.example.com"},
    ],
}


def parse(**changes: object) -> DidDocument:
    return parse_document(orjson.dumps({**DOCUMENT, **changes}), DID)


def test_a_document_says_handle_host_and_keys() -> None:
    assert parse() == DidDocument(
        did=DID,
        handle="ada.example.com",
        pds="https://pds.example.com",
        signing_key=KEY,
        labeler="https://labels.example.com",
        label_key=LABEL_KEY,
    )
    assert parse().public_key().to_multibase() == KEY


@pytest.mark.parametrize(
    "names",
    [None, "at://a.example.com", [], [5, None, "at://", "at://-bad-", "at://no_dots"], {"0": "at://a.example.com"}],
)
def test_names_that_are_none_are_left_out(names: object) -> None:
    assert parse(alsoKnownAs=names).handle is None


@pytest.mark.parametrize(
    "service",
    [
        None,
        "x",
        [None, 5, []],
        [{"id": "#atproto_pds", "type": "Other", "serviceEndpoint": "https://pds.example.com"}],
        [{"id": "#other", "type": "AtprotoPersonalDataServer", "serviceEndpoint": "https://pds.example.com"}],
        [{"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": {"uri": "https://x"}}],
        [{"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": "javascript:alert(1)"}],
        [{"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": "https://"}],
        [{"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": "https://[::1"}],
        [{"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": "https://x.example:99999"}],
        [{"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": "https://" + "a" * 5000}],
        [{"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": "https://x.example/\0"}],
        [{"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": "https://x\0.example"}],
        [{"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": "https://x.example/\u200b"}],
        [{"id": ["#atproto_pds"], "type": "AtprotoPersonalDataServer", "serviceEndpoint": "https://pds.example.com"}],
    ],
)
def test_a_service_that_is_none_is_left_out(service: object) -> None:
    assert parse(service=service).pds is None


def test_the_first_service_of_a_name_counts() -> None:
    entry = {"id": "#atproto_pds", "type": "AtprotoPersonalDataServer"}
    service = [{**entry, "serviceEndpoint": f"https://{name}.example.com"} for name in ("first", "second")]
    assert parse(service=service).pds == "https://first.example.com"


@pytest.mark.parametrize(
    "method",
    [
        {"type": "Multikey", "publicKeyMultibase": "z"},
        {"type": "Multikey", "publicKeyMultibase": 5},
        {"type": "Multikey", "publicKeyMultibase": KEY[:-2]},
        {"type": "Multikey"},
        {"type": "JsonWebKey2020", "publicKeyMultibase": KEY},
        {"type": ["Multikey"], "publicKeyMultibase": KEY},
    ],
)
def test_a_key_that_is_none_is_left_out_and_signs_nothing(method: dict[str, object]) -> None:
    document = parse(verificationMethod=[{"id": f"{DID}#atproto", **method}])
    assert document.signing_key is None
    with pytest.raises(InvalidDataError, match="did-no-signing-key"):
        document.public_key()


def test_another_dids_key_is_not_the_accounts() -> None:
    method = {"id": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa#atproto", "type": "Multikey", "publicKeyMultibase": KEY}
    assert parse(verificationMethod=[method]).signing_key is None


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"{}", b"\xff\xfe", b"[" * 5000, b'{"id": 5}', b'{"id": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"}'],
)
def test_what_is_no_document_of_the_account_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidDataError) as caught:
        parse_document(body, DID)
    assert caught.value.reason == "did-document"


def test_a_huge_document_is_refused_unread() -> None:
    with pytest.raises(InvalidDataError, match="did-document"):
        parse_document(b" " * 65_537, DID)


@pytest.mark.parametrize("levels", range(940, 1024, 3))
def test_however_deep_an_id_is_nested_the_document_is_that_of_another(levels: int) -> None:
    with pytest.raises(InvalidDataError, match="did-document"):
        parse_document('{"id":' + "[" * levels + "]" * levels + "}", DID)
