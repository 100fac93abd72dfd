"""Each way of spoiling a repository breaks what it says, and nothing else."""

import cbor2
import pytest

from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.atproto.car import index_blocks
from zeppelin_pipeline.atproto.cid import cid_of
from zeppelin_pipeline.atproto.commit import verify_commit
from zeppelin_pipeline.atproto.repository import open_repository
from zeppelin_pipeline.devnet.damage import REFUSED_TAILS, cut_at_block, damage_records, flip_byte, invalid_places
from zeppelin_pipeline.devnet.faults import FaultKind
from zeppelin_pipeline.devnet.repositories import RepositoryMaker
from zeppelin_pipeline.errors import InvalidDataError


def test_a_refused_block_is_hashed_in_the_tree_and_signed(maker: RepositoryMaker):
    for account in maker.population.accounts[:10]:
        opened = open_repository(maker.make(account, FaultKind.REFUSED_BLOCK).car)
        assert verify_commit(opened.commit, maker.population.signing_key(account).public_key)
        refused = [entry for entry in opened.entries if not is_strict(opened.record_bytes(entry))]
        assert len(refused) == 1


def is_strict(block: bytes) -> bool:
    try:
        dag_cbor.decode(block)
    except InvalidDataError:
        return False
    return True


@pytest.mark.parametrize("tail", REFUSED_TAILS)
def test_every_refused_form_is_read_by_a_lenient_decoder(tail: bytes):
    good = dag_cbor.encode({"$type": "com.example.thing", "createdAt": "2024-01-01T00:00:00.000Z"})
    spoilt = bytes([good[0] + 1]) + good[1:] + tail
    assert not is_strict(spoilt)
    assert cbor2.loads(spoilt)["$type"] == "com.example.thing"


def test_invalid_records_are_the_first_of_each_collection_and_strict_all_the_same(maker: RepositoryMaker):
    account = maker.population.accounts[0]
    good = maker.records(account)
    spoilt = damage_records(good, FaultKind.INVALID_RECORD, account.did)
    changed = {place for place, (one, other) in enumerate(zip(good, spoilt, strict=True)) if one != other}
    assert changed == invalid_places(good)
    assert len(changed) == 6
    for place in changed:
        key, block = spoilt[place]
        assert key == good[place][0]
        assert dag_cbor.decode(block)["$type"] == key.partition(b"/")[0].decode()
    opened = open_repository(maker.make(account, FaultKind.INVALID_RECORD).car)
    assert [cid for _, cid in opened.entries] == [cid_of(block) for _, block in spoilt]


def test_a_wrong_signature_is_well_formed_and_does_not_verify(maker: RepositoryMaker):
    account = maker.population.accounts[1]
    opened = open_repository(maker.make(account, FaultKind.WRONG_SIGNATURE).car)
    assert not verify_commit(opened.commit, maker.population.signing_key(account).public_key)
    assert verify_commit(opened.commit, maker.wrong_key().public_key)
    assert opened.commit.data == open_repository(maker.make(account).car).commit.data


def test_a_car_cut_at_a_block_is_well_framed_and_incomplete(maker: RepositoryMaker):
    car = maker.make(maker.population.accounts[2]).car
    cut = cut_at_block(car)
    assert car.startswith(cut)
    _, blocks = index_blocks(cut)
    assert 0 < len(blocks) < len(index_blocks(car)[1])
    with pytest.raises(InvalidDataError):
        open_repository(cut)


def test_a_flipped_byte_breaks_one_hash(maker: RepositoryMaker):
    car = maker.make(maker.population.accounts[2]).car
    spoilt = flip_byte(car)
    _, places = index_blocks(spoilt)
    assert sum(cid_of(spoilt[start:end]) != cid for cid, (start, end) in places.items()) == 1
    with pytest.raises(InvalidDataError, match="hash"):
        open_repository(spoilt)


def test_an_older_copy_has_an_older_revision_and_fewer_records(maker: RepositoryMaker):
    account = maker.population.accounts[0]
    older, newer = maker.make(account, FaultKind.TWO_HOSTS), maker.make(account)
    assert older.rev < newer.rev
    assert 0 < older.records < newer.records
    opened = open_repository(older.car)
    assert verify_commit(opened.commit, maker.population.signing_key(account).public_key)
