"""Lines of a PLC directory's export that are hostile."""

from zeppelin_pipeline.identity.plc_export import read_lines


def test_an_operation_too_deep_to_be_written_again_is_a_line_that_cannot_be_read():
    deep = b"[" * 900 + b"]" * 900
    line = (
        b'{"did":"did:plc:ewvi7nxzyoun6zhxrhs64oiz","cid":"bafy","createdAt":"2026-01-01T00:00:00.000Z","operation":%b}'
    )

    (read,) = read_lines(line % deep)

    assert read.did is None
    assert read_lines(line % b"{}")[0].did is not None
