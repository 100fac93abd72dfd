"""The AT Protocol: bytes in, values out, no I/O."""
