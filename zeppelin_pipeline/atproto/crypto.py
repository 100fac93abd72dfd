"""Keys and signatures of the AT Protocol: k256 through libsecp256k1, p256 through OpenSSL, did:key and multibase texts.

A signature is 64 bytes, r and s, big-endian, over the SHA-256 of the message, with s in the lower half
(specification: Cryptography). High s, DER, and any other length are refused, since each would give one commit several
valid encodings.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import Literal

import coincurve
from coincurve._libsecp256k1 import ffi, lib
from coincurve.context import GLOBAL_CONTEXT
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from zeppelin_pipeline.atproto.base58 import base58_decode, base58_encode
from zeppelin_pipeline.errors import InvalidDataError

Curve = Literal["k256", "p256"]

SIGNATURE_BYTES = 64

_K256_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_MULTICODECS: dict[bytes, Curve] = {b"\xe7\x01": "k256", b"\x80\x24": "p256"}
_CURVE_MULTICODECS: dict[Curve, bytes] = {curve: code for code, curve in _MULTICODECS.items()}
_DID_KEY_PREFIX = "did:key:"
_COMPRESSED_BYTES = 33
_UNCOMPRESSED_BYTES = 65
_MAX_MULTIBASE_LENGTH = 100
_ECDSA_PREHASHED = ec.ECDSA(Prehashed(SHA256()))


class PublicKey:
    """A public key on one of the two curves. Equal keys compare equal, whatever text they came from.

    Attributes:
        curve: `k256` or `p256`.
        compressed: the 33 bytes of the compressed point.
    """

    __slots__ = ("_point", "compressed", "curve")

    def __init__(self, curve: Curve, point: bytes) -> None:
        if len(point) not in {_COMPRESSED_BYTES, _UNCOMPRESSED_BYTES}:
            raise InvalidDataError("key-point", f"{len(point)} bytes")
        self.curve: Curve = curve
        self._point = _parse_point(curve, point)
        self.compressed = _compress(self._point)

    @classmethod
    def from_did_key(cls, text: str) -> PublicKey:
        """Read `did:key:z…`.

        Raises:
            InvalidDataError: `key-syntax`, `key-multicodec`, or `key-point` when the point is not on the curve.
        """
        if not text.startswith(_DID_KEY_PREFIX):
            raise InvalidDataError("key-syntax", text[:100])
        return cls.from_multibase(text.removeprefix(_DID_KEY_PREFIX))

    @classmethod
    def from_multibase(cls, text: str) -> PublicKey:
        """Read the `publicKeyMultibase` of a Multikey: base58btc of a multicodec and a compressed point.

        Raises:
            InvalidDataError: as `from_did_key`.
        """
        return _read_multikey(text)

    @classmethod
    def from_legacy_multibase(cls, curve: Curve, text: str) -> PublicKey:
        """Read the key of a method of type EcdsaSecp256k1VerificationKey2019 (k256) or EcdsaSecp256r1… (p256).

        Such a text holds a bare point, compressed or not, and no multicodec.

        Raises:
            InvalidDataError: `key-syntax` or `key-point`.
        """
        return cls(curve, _multibase_bytes(text))

    def to_multibase(self) -> str:
        """Return the Multikey text, `z…`."""
        return "z" + base58_encode(_CURVE_MULTICODECS[self.curve] + self.compressed)

    def to_did_key(self) -> str:
        """Return `did:key:z…`."""
        return _DID_KEY_PREFIX + self.to_multibase()

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether the signature is 64 bytes, low-S, and made by this key over the SHA-256 of the message."""
        return self.verify_digest(signature, sha256(message).digest())

    def verify_digest(self, signature: bytes, digest: bytes) -> bool:
        """As `verify`, of a message whose SHA-256 is known."""
        if len(signature) != SIGNATURE_BYTES:
            return False
        point = self._point
        if isinstance(point, coincurve.PublicKey):
            return _verify_k256(point, signature, digest)
        return _verify_p256(point, signature, digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and (self.curve, self.compressed) == (other.curve, other.compressed)

    def __hash__(self) -> int:
        return hash((self.curve, self.compressed))

    def __repr__(self) -> str:
        return f"PublicKey({self.to_did_key()})"


class PrivateKey:
    """A private key; signs low-S, deterministically on both curves (RFC 6979)."""

    __slots__ = ("_secret", "curve", "public_key")

    def __init__(self, curve: Curve, secret: bytes) -> None:
        order = _K256_ORDER if curve == "k256" else _P256_ORDER
        number = int.from_bytes(secret, "big")
        if len(secret) != 32 or not 0 < number < order:
            raise InvalidDataError("key-secret", "not 32 bytes within the curve's order")
        self.curve: Curve = curve
        self._secret: coincurve.PrivateKey | ec.EllipticCurvePrivateKey
        if curve == "k256":
            self._secret = coincurve.PrivateKey(secret)
            point = self._secret.public_key.format(compressed=True)
        else:
            self._secret = ec.derive_private_key(number, ec.SECP256R1())
            point = _compress(self._secret.public_key())
        self.public_key = PublicKey(curve, point)

    @classmethod
    def generate(cls, curve: Curve) -> PrivateKey:
        """Make a new key from the system's randomness."""
        if curve == "k256":
            return cls(curve, coincurve.PrivateKey().secret)
        number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
        return cls(curve, number.to_bytes(32, "big"))

    @classmethod
    def from_bytes(cls, curve: Curve, secret: bytes) -> PrivateKey:
        """Read a key from its 32 bytes.

        Raises:
            InvalidDataError: `key-secret`.
        """
        return cls(curve, secret)

    def sign(self, message: bytes) -> bytes:
        """Return 64 bytes: the low-S signature over the SHA-256 of the message."""
        if isinstance(self._secret, coincurve.PrivateKey):
            # The recoverable form is the compact one with a byte behind it; libsecp256k1 signs low-S with RFC
            # 6979's nonce.
            return self._secret.sign_recoverable(message)[:SIGNATURE_BYTES]
        digest = sha256(message).digest()
        r, s = decode_dss_signature(self._secret.sign(digest, _ECDSA_DETERMINISTIC))
        return r.to_bytes(32, "big") + min(s, _P256_ORDER - s).to_bytes(32, "big")


_ECDSA_DETERMINISTIC = ec.ECDSA(Prehashed(SHA256()), deterministic_signing=True)


@lru_cache(maxsize=256)  # a key is read once for its document, once to verify, and again with the next commit
def _read_multikey(text: str) -> PublicKey:
    data = _multibase_bytes(text)
    curve = _MULTICODECS.get(data[:2])
    if curve is None or len(data) != 2 + _COMPRESSED_BYTES:
        raise InvalidDataError("key-multicodec", f"prefix {data[:2].hex()}, {len(data)} bytes")
    return PublicKey(curve, data[2:])


def _multibase_bytes(text: str) -> bytes:
    if not text.startswith("z") or len(text) > _MAX_MULTIBASE_LENGTH:
        raise InvalidDataError("key-syntax", text[:100])
    return base58_decode(text[1:])


def _parse_point(curve: Curve, point: bytes) -> coincurve.PublicKey | ec.EllipticCurvePublicKey:
    # Hybrid points (first byte 6 or 7) are accepted by libsecp256k1 alone, and named by no specification of ours.
    try:
        if point[0] not in {2, 3, 4}:
            raise InvalidDataError("key-point", f"first byte {point[0]}")
        if curve == "k256":
            return coincurve.PublicKey(point)
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError as error:
        raise InvalidDataError("key-point", str(error)) from error


def _compress(point: coincurve.PublicKey | ec.EllipticCurvePublicKey) -> bytes:
    if isinstance(point, coincurve.PublicKey):
        return point.format(compressed=True)
    return point.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


def _verify_k256(point: coincurve.PublicKey, signature: bytes, digest: bytes) -> bool:
    # What coincurve does, without the detour over DER, which costs a fifth as much as the check itself.
    parsed = ffi.new("secp256k1_ecdsa_signature *")
    if not lib.secp256k1_ecdsa_signature_parse_compact(GLOBAL_CONTEXT.ctx, parsed, signature):
        return False  # numbers beyond the order
    # libsecp256k1 itself refuses high S.
    return bool(lib.secp256k1_ecdsa_verify(GLOBAL_CONTEXT.ctx, parsed, digest, point.public_key))


def _verify_p256(point: ec.EllipticCurvePublicKey, signature: bytes, digest: bytes) -> bool:
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if s > _P256_ORDER // 2:
        return False
    try:
        point.verify(encode_dss_signature(r, s), digest, _ECDSA_PREHASHED)
    except InvalidSignature:
        return False
    return True
