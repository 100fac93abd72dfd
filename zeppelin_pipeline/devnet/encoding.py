"""The network's own records and events to DAG-CBOR, as fast as libipld does it.

`atproto` checks what strangers wrote, and what we write for them; that care takes several times the encoding.
What is encoded here is of our own making, has no floats, is shallow, and holds no byte strings that libipld could take
for CIDs: a CAR starts with the size of its header, and no CID does so.
"""

from typing import Any

import libipld

from zeppelin_pipeline.devnet.rows import cids_of


def encode_record(record: dict[str, Any]) -> bytes:
    """A record as canonical DAG-CBOR."""
    return libipld.encode_dag_cbor(record)


def encode_event(kind: str, body: dict[str, Any]) -> bytes:
    """The frame of an event, `kind` as in `#commit`."""
    return libipld.encode_dag_cbor({"op": 1, "t": kind}) + libipld.encode_dag_cbor(body)


def record_cid(block: bytes) -> bytes:
    """The CID of a record's block."""
    return cids_of((block,))[0]
