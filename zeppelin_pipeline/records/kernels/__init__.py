"""Kernels that read records: canonical DAG-CBOR straight to columns, by the rule of `atproto.kernels`.

A record is taken when every byte of it is proven: its encoding, its lexicon, the form of each text that a column holds.
All others are left, by position, to the readers in `records`, whose columns and reasons are the only measure.

One module for one noun: `cbor` and `formats` (what all read), `gather` (copies), `engagement`, `relation`,
`facets`, `embeds`, `post`, `whole`.
"""
