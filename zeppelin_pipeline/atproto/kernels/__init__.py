"""Compiled loops over bytes: Numba and NumPy alone, no I/O, no Python object for a record.

Rule: **a kernel accepts only what it can prove**. Whatever is unusual makes it say so, and the careful Python code
(`atproto.repository`, the readers of `records`) decides, with its reason. So a kernel has no reasons of its own.

Nothing here is checked by the compiler: each read is guarded by an explicit limit, since what is read is hostile.

One module for one noun: `compilation` and `machine_code` (how kernels are made and kept), `spans` and `cbor` (what all
read), `sha256`, `frames`, `node`, `tree`, and for one change undone `node_writing`, `merging`, `inversion`.
"""
