"""Values of the data model: the JSON form, the block and its CID; and JSON that is, or is not, a record.

From the protocol's published interoperability tests; blocks in hex.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class BlockCase:
    """One value in its three forms."""

    json: dict[str, Any]
    block_hex: str
    cid: str


BLOCKS = (
    BlockCase(
        json={
            "string": "abc",
            "unicode": "a~\xf6\xf1\xa9\u2f58\u260e\U000132d3\U0001f600"
            "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f467",
            "integer": 123,
            "bool": True,
            "null": None,
            "array": ["abc", "def", "ghi"],
            "object": {"string": "abc", "number": 123, "bool": True, "arr": ["abc", "def", "ghi"]},
        },
        block_hex="a764626f6f6cf5646e756c6cf665617272617983636162636364656663676869666f626a656374a46361727283636162"
        "63636465666367686964626f6f6cf5666e756d626572187b66737472696e676361626366737472696e67636162636769"
        "6e7465676572187b67756e69636f6465782f617ec3b6c3b1c2a9e2bd98e2988ef0938b93f09f9880f09f91a8e2808df0"
        "9f91a9e2808df09f91a7e2808df09f91a7",
        cid="bafyreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq",
    ),
    BlockCase(
        json={
            "a": {"$link": "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"},
            "b": {"$bytes": "nFERjvLLiw9qm45JrqH9QTzyC2Lu1Xb4ne6+sBrCzI0"},
            "c": {
                "$type": "blob",
                "ref": {"$link": "bafkreiccldh766hwcnuxnf2wh6jgzepf2nlu2lvcllt63eww5p6chi4ity"},
                "mimeType": "image/jpeg",
                "size": 10000,
            },
        },
        block_hex="a36161d82a5825000171122065062a5a5a00fc16d73c6944237ccbc15b1c4a7234489336891d091741a239d061625820"
        "9c51118ef2cb8b0f6a9b8e49aea1fd413cf20b62eed576f89deebeb01ac2cc8d6163a463726566d82a58250001551220"
        "4258cfff78f613697697563f926c91e5d3574d2ea25ae7ed92d6ebfc23a3889e6473697a651927106524747970656462"
        "6c6f62686d696d65547970656a696d6167652f6a706567",
        cid="bafyreihldkhcwijkde7gx4rpkkuw7pl6lbyu5gieunyc7ihactn5bkd2nm",
    ),
    BlockCase(
        json={
            "a": {
                "b": [
                    {
                        "d": [
                            {"$link": "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"},
                            {"$link": "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"},
                        ],
                        "e": [
                            {"$bytes": "nFERjvLLiw9qm45JrqH9QTzyC2Lu1Xb4ne6+sBrCzI0"},
                            {"$bytes": "iE+sPoHobU9tSIqGI+309LLCcWQIRmEXwxcoDt19tas"},
                        ],
                    }
                ]
            }
        },
        block_hex="a16161a1616281a2616482d82a5825000171122065062a5a5a00fc16d73c6944237ccbc15b1c4a7234489336891d0917"
        "41a239d0d82a5825000171122065062a5a5a00fc16d73c6944237ccbc15b1c4a7234489336891d091741a239d0616582"
        "58209c51118ef2cb8b0f6a9b8e49aea1fd413cf20b62eed576f89deebeb01ac2cc8d5820884fac3e81e86d4f6d488a86"
        "23edf4f4b2c2716408466117c317280edd7db5ab",
        cid="bafyreid3imdulnhgeytpf6uk7zahjvrsqlofkmm5b5ub2maw4kqus6jp4i",
    ),
)

VALID_RECORDS: dict[str, Any] = {
    "trivial record": {"rcrd": {"$type": "com.example.blah", "a": 123, "b": "blah"}},
    "float, but integer-like": {"rcrd": {"$type": "com.example.blah", "a": 123.0, "b": "blah"}},
    "empty list and object": {"rcrd": {"$type": "com.example.blah", "a": [], "b": {}}},
    "list of nullable": {"arr": [1, 2, None]},
    "list of lists": {"arr": [[1, 2, 3], [4, 5, 6]], "arr2": [None, None, None]},
}

# What is wrong, the JSON, and the reason for which it is refused.
INVALID_RECORDS: dict[str, tuple[Any, str]] = {
    "top-level not an object": ("blah", "json-record"),
    "float": ({"rcrd": {"$type": "com.example.blah", "a": 123.456, "b": "blah"}}, "json-float"),
    "record with $type null": ({"rcrd": {"$type": None, "a": 123, "b": "blah"}}, "json-type"),
    "record with $type wrong type": ({"rcrd": {"$type": 123, "a": 123, "b": "blah"}}, "json-type"),
    "record with empty $type string": ({"rcrd": {"$type": "", "a": 123, "b": "blah"}}, "json-type"),
    "blob with string size": (
        {
            "blb": {
                "$type": "blob",
                "ref": {"$link": "bafkreiccldh766hwcnuxnf2wh6jgzepf2nlu2lvcllt63eww5p6chi4ity"},
                "mimeType": "image/jpeg",
                "size": "10000",
            }
        },
        "json-blob",
    ),
    "blob with missing key": ({"blb": {"$type": "blob", "mimeType": "image/jpeg", "size": 10000}}, "json-blob"),
    "bytes with wrong field type": ({"lnk": {"$bytes": [1, 2, 3]}}, "json-bytes"),
    "bytes with extra fields": (
        {"lnk": {"$bytes": "nFERjvLLiw9qm45JrqH9QTzyC2Lu1Xb4ne6+sBrCzI0", "other": "blah"}},
        "json-bytes",
    ),
    "link with wrong field type": ({"lnk": {"$link": 1234}}, "json-link"),
    "link with bogus CID": ({"lnk": {"$link": "."}}, "json-link"),
    "link with extra fields": (
        {"lnk": {"$link": "bafkreiccldh766hwcnuxnf2wh6jgzepf2nlu2lvcllt63eww5p6chi4ity", "other": "blah"}},
        "json-link",
    ),
}
