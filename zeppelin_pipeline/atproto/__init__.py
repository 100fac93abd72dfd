"""The AT Protocol: bytes in, values out, no I/O.

One module for one noun of the specifications: `syntax`, `tid`, `cid`, `dag_cbor` (with `cbor_scan`, its watchman),
`data_model` (JSON form), `car`, `mst`, `mst_build`, `mst_diff`, `crypto`, `commit`, `repository` (a whole CAR,
verified) and `frames` (event streams). CIDs are plain `bytes`. Whatever breaks a rule raises `InvalidDataError` with
a kebab-case reason, in time and memory bounded by the size of the input.
"""
