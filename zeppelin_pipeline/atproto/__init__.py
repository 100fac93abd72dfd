"""The AT Protocol: bytes in, values out, no I/O.

One module for one noun of the specifications: `syntax` and `datetimes`, `tid`, `cid`, `dag_cbor` (with `cbor_scan`,
its watchman, and `data_model`, its JSON form), `car`, `mst`, `crypto` (with `base58`), `commit`, `repository`,
`frames` (event streams). CIDs are plain `bytes`. Whatever breaks a rule raises `InvalidDataError` with a kebab-case
reason, in time and memory bounded by the size of the input.
"""
