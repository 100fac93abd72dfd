"""Keys and signatures against known answers, and forms of signatures that must be refused."""

import pytest

from tests.vectors.crypto_cases import K256_KEYS, MESSAGE_HEX, P256_KEYS, SIGNATURES, SignatureCase
from zeppelin_pipeline.atproto.base58 import base58_decode, base58_encode
from zeppelin_pipeline.atproto.crypto import Curve, PrivateKey, PublicKey
from zeppelin_pipeline.errors import InvalidDataError

MESSAGE = bytes.fromhex(MESSAGE_HEX)
ORDERS: dict[Curve, int] = {
    "k256": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
    "p256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
}


@pytest.mark.parametrize("case", SIGNATURES, ids=lambda case: case.name)
def test_a_signature_is_judged_as_published(case: SignatureCase) -> None:
    signature = bytes.fromhex(case.signature_hex)
    for key in (PublicKey.from_did_key(case.key), PublicKey.from_legacy_multibase(case.curve, case.legacy_multibase)):
        assert key.verify(signature, MESSAGE) is case.is_valid
        assert not key.verify(signature, MESSAGE + b"!")


@pytest.mark.parametrize(("secret", "did_key"), K256_KEYS)
def test_a_k256_secret_has_its_did_key(secret: str, did_key: str) -> None:
    assert PrivateKey.from_bytes("k256", bytes.fromhex(secret)).public_key.to_did_key() == did_key


@pytest.mark.parametrize(("secret", "did_key"), P256_KEYS)
def test_a_p256_secret_has_its_did_key(secret: str, did_key: str) -> None:
    assert PrivateKey.from_bytes("p256", base58_decode(secret)).public_key.to_did_key() == did_key


@pytest.mark.parametrize("curve", ["k256", "p256"])
def test_the_high_half_of_s_is_refused_and_never_made(curve: Curve) -> None:
    key = PrivateKey.from_bytes(curve, b"\x07" * 32)
    for number in range(20):
        message = number.to_bytes(2, "big")
        signature = key.sign(message)
        s = int.from_bytes(signature[32:], "big")
        assert s <= ORDERS[curve] // 2
        assert key.public_key.verify(signature, message)
        assert not key.public_key.verify(signature[:32] + (ORDERS[curve] - s).to_bytes(32, "big"), message)


@pytest.mark.parametrize("curve", ["k256", "p256"])
def test_signing_is_deterministic(curve: Curve) -> None:
    key = PrivateKey.from_bytes(curve, b"\x09" * 32)
    assert key.sign(b"x") == key.sign(b"x")


@pytest.mark.parametrize("curve", ["k256", "p256"])
@pytest.mark.parametrize("signature", [b"", b"\0" * 64, b"\xff" * 64, b"\1" * 63, b"\1" * 65, b"\0" * 32 + b"\1" * 32])
def test_a_signature_of_impossible_numbers_or_length_is_no_error(curve: Curve, signature: bytes) -> None:
    assert not PrivateKey.from_bytes(curve, b"\x09" * 32).public_key.verify(signature, b"x")


@pytest.mark.parametrize("curve", ["k256", "p256"])
def test_another_keys_signature_does_not_verify(curve: Curve) -> None:
    signature = PrivateKey.generate(curve).sign(b"x")
    assert not PrivateKey.generate(curve).public_key.verify(signature, b"x")


def test_an_uncompressed_legacy_point_is_the_same_key() -> None:
    # The generator of secp256k1, the public key of the secret 1.
    point = bytes.fromhex(
        "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
        "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
    )
    key = PublicKey.from_legacy_multibase("k256", "z" + base58_encode(point))
    assert key == PrivateKey.from_bytes("k256", (1).to_bytes(32, "big")).public_key


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "key-syntax"),
        ("did:web:example.com", "key-syntax"),
        ("did:key:", "key-syntax"),
        ("did:key:uABC", "key-syntax"),
        ("did:key:zQ3sh0", "key-syntax"),
        ("did:key:z" + "2" * 5_000_000, "key-syntax"),
        ("did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK", "key-multicodec"),  # Ed25519
        ("did:key:z" + base58_encode(b"\xe7\x01\x02" + b"\xff" * 32), "key-point"),
        ("did:key:z" + base58_encode(b"\x80\x24\x02" + b"\xff" * 32), "key-point"),
        ("did:key:z" + base58_encode(b"\xe7\x01\x06" + b"\1" * 32), "key-point"),
        ("did:key:z" + base58_encode(b"\xe7\x01"), "key-multicodec"),
    ],
)
def test_a_text_that_is_no_key_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InvalidDataError) as caught:
        PublicKey.from_did_key(text)
    assert caught.value.reason == reason


@pytest.mark.parametrize("point", [b"", b"\x00", b"\x02", b"\x06" + b"\1" * 64, b"\x00" * 33])
def test_a_legacy_text_that_is_no_point_is_refused(point: bytes) -> None:
    with pytest.raises(InvalidDataError) as caught:
        PublicKey.from_legacy_multibase("k256", "z" + base58_encode(point))
    assert caught.value.reason == "key-point"


@pytest.mark.parametrize("secret", [b"", b"\0" * 32, b"\xff" * 32, b"\1" * 31])
def test_a_secret_outside_of_the_order_is_refused(secret: bytes) -> None:
    with pytest.raises(InvalidDataError):
        PrivateKey.from_bytes("k256", secret)


def test_equal_keys_are_equal() -> None:
    key = PrivateKey.from_bytes("p256", b"\x09" * 32).public_key
    again = PublicKey.from_multibase(key.to_multibase())
    assert again == key
    assert hash(again) == hash(key)
    assert key != PrivateKey.from_bytes("k256", b"\x09" * 32).public_key
