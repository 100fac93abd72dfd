"""Extraction of the devnet's repositories, odd and damaged ones among them: every record comes back byte for byte."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.extract_repositories import HOST, SHARD, read_dataset
from tests.unit.records.samples import encode_row
from zeppelin_pipeline.atproto.repository import open_repository
from zeppelin_pipeline.devnet.faults import FaultKind
from zeppelin_pipeline.devnet.model import LAST_MICROS, DevnetConfig
from zeppelin_pipeline.devnet.repositories import MadeRepository, make_repository_maker
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.extract import extract_shard
from zeppelin_pipeline.repos.marker import ExtractResult
from zeppelin_pipeline.repos.pack import FETCHED, PackRow, PackWriter
from zeppelin_pipeline.warehouse.tables import TABLES

FAULTS = (None, FaultKind.REFUSED_BLOCK, FaultKind.INVALID_RECORD, FaultKind.WRONG_SIGNATURE)
FETCHED_AT = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=LAST_MICROS)


@pytest.fixture
def extracted(tmp_path: Path) -> tuple[Lake, ExtractResult, list[tuple[FaultKind | None, MadeRepository]]]:
    """A shard of 12 repositories, each fault on 3 of them."""
    lake = Lake(str(tmp_path))
    maker = make_repository_maker(DevnetConfig(repos=12, odd_share=0.2, mean_records=60.0))
    writer = PackWriter(lake, SHARD)
    made: list[tuple[FaultKind | None, MadeRepository]] = []
    for account in maker.population.accounts:
        fault = FAULTS[account.index % len(FAULTS)]
        repository = maker.make(account, fault)
        key = maker.population.signing_key(account).public_key.to_multibase()
        method = {"id": "#atproto", "type": "Multikey", "controller": account.did, "publicKeyMultibase": key}
        document = json.dumps({"id": account.did, "verificationMethod": [method]})
        row = PackRow(
            account.did, HOST, repository.rev, FETCHED, None, None, FETCHED_AT, document, None, repository.car
        )
        writer.add(row)
        made.append((fault, repository))
    writer.flush()
    return lake, extract_shard(lake, SHARD), made


def test_every_record_of_a_sound_repository_comes_back_byte_for_byte(extracted: Any):
    lake, _, made = extracted
    given_back = set(blocks_given_back(lake))
    expected = {
        (repository.did, path.decode(), opened.get_block(cid))
        for fault, repository in made
        if fault is not FaultKind.WRONG_SIGNATURE
        for opened in [open_repository(repository.car)]
        for path, cid in opened.entries
    }
    assert given_back == expected


def test_wrongly_signed_repositories_are_set_aside_and_counted(extracted: Any):
    _, result, made = extracted
    wrong = [repository for fault, repository in made if fault is FaultKind.WRONG_SIGNATURE]
    assert result.states == {"invalid": 3, "synchronized": 9}
    assert result.rejected["signature-invalid"] == sum(repository.records for repository in wrong)
    assert result.entries == sum(repository.records for _, repository in made)


def test_most_likes_and_follows_need_no_bytes_of_their_own(extracted: Any):
    lake, _, _ = extracted
    for dataset in ("like", "follow"):
        rows = read_dataset(lake, dataset)
        assert 0 < sum(row["raw"] is not None for row in rows) < len(rows) / 2


def blocks_given_back(lake: Lake) -> Iterator[tuple[str, str, bytes]]:
    """(did, path, block) of each row."""
    for dataset, table in TABLES.items():
        for row in read_dataset(lake, dataset):
            collection = table.collection or row["collection"]
            yield row["did"], f"{collection}/{row['rkey']}", encode_row(collection, row)
