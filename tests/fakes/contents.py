"""Contents of likes and reposts, one by one: what the batches of a load are compared with."""


def made_content(
    subject_cid: bytes | None, via: tuple[int, int, bytes] | None = None, raw: bytes | None = None
) -> bytes:
    """The content with these digests; `via` is the keys of account and record, and the digest."""
    head = subject_cid or bytes(32)
    if raw is not None:
        return head + raw
    if via is None:
        return head
    actor, rkey, cid = via
    return head + actor.to_bytes(8, "big", signed=True) + rkey.to_bytes(8, "big", signed=True) + cid
