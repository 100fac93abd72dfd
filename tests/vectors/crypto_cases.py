"""Signatures and keys with known answers, from the protocol's published interoperability tests."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class SignatureCase:
    """One signature over the message; `legacy_multibase` is the key's point without its multicodec."""

    name: str
    curve: Literal["k256", "p256"]
    key: str
    legacy_multibase: str
    signature_hex: str
    is_valid: bool


MESSAGE_HEX = "a16568656c6c6f65776f726c64"

SIGNATURES = (
    SignatureCase(
        name="p256 low-s",
        curve="p256",
        key="did:key:zDnaembgSGUhZULN2Caob4HLJPaxBh92N7rtH21TErzqf8HQo",
        legacy_multibase="zxdM8dSstjrpZaRUwBmDvjGXweKuEMVN95A9oJBFjkWMh",
        signature_hex="daf64db06dd42afbcefc20e5addbf2651212385ca58a7061d09ba973a29c5a82561311e9b427ddb8f95e0db1b7"
        "ae4a376199e7f4bc34223a62c5599ec490de82",
        is_valid=True,
    ),
    SignatureCase(
        name="k256 low-s",
        curve="k256",
        key="did:key:zQ3shqwJEJyMBsBXCWyCBpUBMqxcon9oHB7mCvx4sSpMdLJwc",
        legacy_multibase="z25z9DTpsiYYJKGsWmSPJK2NFN8PcJtZig12K59UgW7q5t",
        signature_hex="e56a5d22e11451f55461aa33b22f06d01ddc58ed3d72065b208c20d6dd9829d527fc51339ce9ddb33fea82261b"
        "f3dcf0c5809b07bd5fef240ae4bafb35ab1fa0",
        is_valid=True,
    ),
    SignatureCase(
        name="p256 high-s",
        curve="p256",
        key="did:key:zDnaembgSGUhZULN2Caob4HLJPaxBh92N7rtH21TErzqf8HQo",
        legacy_multibase="zxdM8dSstjrpZaRUwBmDvjGXweKuEMVN95A9oJBFjkWMh",
        signature_hex="daf64db06dd42afbcefc20e5addbf2651212385ca58a7061d09ba973a29c5a82a9ecee154bd8224806a1f24e48"
        "51b5c85b4d12b8eae37c4a90f4712437d246cf",
        is_valid=False,
    ),
    SignatureCase(
        name="k256 high-s",
        curve="k256",
        key="did:key:zQ3shqwJEJyMBsBXCWyCBpUBMqxcon9oHB7mCvx4sSpMdLJwc",
        legacy_multibase="z25z9DTpsiYYJKGsWmSPJK2NFN8PcJtZig12K59UgW7q5t",
        signature_hex="e56a5d22e11451f55461aa33b22f06d01ddc58ed3d72065b208c20d6dd9829d5d803aecc6316224cc0157dd9e4"
        "0c230df52e41def1e8b117b4eda3919a8b21a1",
        is_valid=False,
    ),
    SignatureCase(
        name="p256 der-encoded",
        curve="p256",
        key="did:key:zDnaeT6hL2RnTdUhAPLij1QBkhYZnmuKyM7puQLW1tkF4Zkt8",
        legacy_multibase="ze8N2PPxnu19hmBQ58t5P3E9Yj6CqakJmTVCaKvf9Byq2",
        signature_hex="304402205c587a5589f6535c015b7e8cad32fd3f830bf5f8a21159fa6f1ff52108b646350220025fb797cf9b20"
        "b5a46bcff49d3d1f24a6b9db1cc41575ed13d91f3239307078",
        is_valid=False,
    ),
    SignatureCase(
        name="k256 der-encoded",
        curve="k256",
        key="did:key:zQ3shnriYMXc8wvkbJqfNWh5GXn2bVAeqTC92YuNbek4npqGF",
        legacy_multibase="z22uZXWP8fdHXi4jyx8cCDiBf9qQTsAe6VcycoMQPfcMQX",
        signature_hex="304502210096ba652a26a382a889d717b033848460d8c870473dab59970e12c3a33e6348b602205c91fb467a9f"
        "618e8cd1e837df0534b05603969af074e729467efc4b3e5e3e09",
        is_valid=False,
    ),
)

# Secret in hex, did:key of its public key.
K256_KEYS = (
    (
        "9085d2bef69286a6cbb51623c8fa258629945cd55ca705cc4e66700396894e0c",
        "did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme",
    ),
    (
        "f0f4df55a2b3ff13051ea814a8f24ad00f2e469af73c363ac7e9fb999a9072ed",
        "did:key:zQ3shtxV1FrJfhqE1dvxYRcCknWNjHc3c5X1y3ZSoPDi2aur2",
    ),
    (
        "6b0b91287ae3348f8c2f2552d766f30e3604867e34adc37ccbb74a8e6b893e02",
        "did:key:zQ3shZc2QzApp2oymGvQbzP8eKheVshBHbU4ZYjeXqwSKEn6N",
    ),
    (
        "c0a6a7c560d37d7ba81ecee9543721ff48fea3e0fb827d42c1868226540fac15",
        "did:key:zQ3shadCps5JLAHcZiuX5YUtWHHL8ysBJqFLWvjZDKAWUBGzy",
    ),
    (
        "175a232d440be1e0788f25488a73d9416c04b6f924bea6354bf05dd2f1a75133",
        "did:key:zQ3shptjE6JwdkeKN4fcpnYQY3m9Cet3NiHdAfpvSUZBFoKBj",
    ),
)

# Secret in base58, did:key of its public key.
P256_KEYS = (
    ("9p4VRzdmhsnq869vQjVCTrRry7u4TtfRxhvBFJTGU2Cp", "did:key:zDnaeTiq1PdzvZXUaMdezchcMJQpBdH2VN4pgrrEhMCCbmwSb"),
)
