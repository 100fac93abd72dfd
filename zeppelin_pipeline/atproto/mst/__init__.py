"""The Merkle search tree of a repository: walked, built, compared. Specification: Repository, "MST Structure".

Keys are `collection/rkey` in bytes, values CIDs of records. `node` knows one node's form, `walk` reads a whole tree
and proves its shape, `build` makes a tree from sorted entries, `diff` compares two trees, `invert` undoes changes on a
part of one.
"""

from zeppelin_pipeline.atproto.mst.build import EMPTY_ROOT, Mst, build, root_of
from zeppelin_pipeline.atproto.mst.diff import Change, diff
from zeppelin_pipeline.atproto.mst.invert import invert
from zeppelin_pipeline.atproto.mst.node import Entry, common_prefix_length, key_height
from zeppelin_pipeline.atproto.mst.walk import check_keys, walk, walk_runs

__all__ = [
    "EMPTY_ROOT",
    "Change",
    "Entry",
    "Mst",
    "build",
    "check_keys",
    "common_prefix_length",
    "diff",
    "invert",
    "key_height",
    "root_of",
    "walk",
    "walk_runs",
]
