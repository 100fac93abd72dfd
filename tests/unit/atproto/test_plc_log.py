import pytest

from tests.fakes.plc import OPERATOR, RECOVERY, SIGNING, did_key, did_of, key, legacy_genesis, operation, tombstone
from zeppelin_pipeline.atproto.plc import PlcOperation
from zeppelin_pipeline.atproto.plc_log import RECOVERY_MICROS, FormerKey, PlcLog
from zeppelin_pipeline.errors import InvalidDataError

HOUR = 3600 * 1_000_000
MALLORY = key("mallory")


def log_of(genesis: PlcOperation) -> PlcLog:
    log = PlcLog(did_of(genesis))
    assert log.apply(genesis, 0) == "applied"
    return log


def refused(log: PlcLog, next_operation: PlcOperation, at_micros: int = HOUR) -> str:
    before = log.head
    with pytest.raises(InvalidDataError) as caught:
        log.apply(next_operation, at_micros)
    assert log.head is before
    return caught.value.reason


def head_of(log: PlcLog) -> PlcOperation:
    assert log.head is not None
    return log.head.operation


def test_a_log_goes_on_with_operations_that_its_rotation_keys_signed():
    genesis = operation()
    second = operation(genesis, signer=RECOVERY, handle="bob.test")
    log = log_of(genesis)
    assert log.apply(second, HOUR) == "applied"
    assert head_of(log) == second
    assert log.is_changed


def test_a_legacy_genesis_is_followed_by_operations_of_today():
    genesis = legacy_genesis()
    log = log_of(genesis)
    assert log.apply(operation(genesis, signer=SIGNING), HOUR) == "applied"


def test_a_genesis_must_be_its_dids_own_and_signed_by_a_key_of_its_own():
    log = PlcLog("did:plc:" + "a" * 24)
    assert refused(log, operation()) == "plc-genesis-did"
    forged = operation(signer=MALLORY)
    assert refused(PlcLog(did_of(forged)), forged) == "plc-genesis-signature"
    assert refused(log, operation(operation())) == "plc-prev-unknown"


def test_an_operation_that_a_stranger_signed_is_refused():
    genesis = operation()
    assert refused(log_of(genesis), operation(genesis, signer=MALLORY, rotation=(MALLORY,))) == "plc-signature"


def test_an_operation_that_follows_nothing_known_is_refused():
    genesis = operation()
    stranger = operation(handle="other.test")
    assert refused(log_of(genesis), operation(stranger)) == "plc-prev-unknown"
    assert refused(log_of(genesis), operation(handle="second.test")) == "plc-prev-unknown"


def test_nothing_follows_a_tombstone():
    genesis = operation()
    end = tombstone(genesis)
    log = log_of(genesis)
    log.apply(end, HOUR)
    assert refused(log, operation(end), 2 * HOUR) == "plc-after-tombstone"
    assert log.former_keys == [FormerKey(did_key(SIGNING), 0, HOUR)]


def test_a_more_powerful_key_takes_back_what_a_lesser_one_signed():
    genesis = operation()
    theft = operation(genesis, signer=OPERATOR, signing=MALLORY, rotation=(MALLORY,))
    further = operation(theft, signer=MALLORY, signing=MALLORY, rotation=(MALLORY,), handle="stolen.test")
    rescue = operation(genesis, signer=RECOVERY)
    log = log_of(genesis)
    log.apply(theft, HOUR)
    log.apply(further, 2 * HOUR)
    assert log.apply(rescue, 3 * HOUR) == "recovered"
    assert head_of(log) == rescue
    assert log.former_keys == []
    assert log.head is not None
    assert log.head.key_since_micros == 0
    assert refused(log, operation(further, signer=MALLORY), 4 * HOUR) == "plc-prev-unknown"


def test_an_equal_or_lesser_key_takes_nothing_back():
    genesis = operation()
    log = log_of(genesis)
    log.apply(operation(genesis, signer=OPERATOR, handle="b.test"), HOUR)
    assert refused(log, operation(genesis, signer=OPERATOR, handle="c.test"), 2 * HOUR) == "plc-recovery-key"


def test_nothing_is_taken_back_after_72_hours():
    genesis = operation()
    log = log_of(genesis)
    log.apply(operation(genesis, handle="b.test"), HOUR)
    rescue = operation(genesis, signer=RECOVERY, handle="c.test")
    assert refused(log, rescue, HOUR + RECOVERY_MICROS + 1) == "plc-recovery-late"
    assert log.apply(rescue, HOUR + RECOVERY_MICROS) == "recovered"


def test_what_can_be_taken_back_no_more_is_forgotten():
    last = operation()
    log = log_of(last)
    for number in range(1, 200):
        last = operation(last, handle=f"a{number}.test")
        log.apply(last, number * HOUR)
    assert len(log.superseded) == 73


def test_an_operation_that_was_taken_before_changes_nothing():
    genesis = operation()
    second = operation(genesis, handle="b.test")
    log = log_of(genesis)
    log.apply(second, HOUR)
    log.is_changed = False
    assert log.apply(genesis, 0) == "known"
    assert log.apply(second, HOUR) == "known"
    assert not log.is_changed


def test_former_signing_keys_are_kept_with_the_time_in_which_they_were_the_accounts():
    first, second, third = SIGNING, key("second"), key("third", "p256")
    genesis = operation(signing=first)
    moved = operation(genesis, signing=second)
    renamed = operation(moved, signing=second, handle="b.test")
    again = operation(renamed, signing=third)
    log = log_of(genesis)
    for number, each in enumerate((moved, renamed, again), start=1):
        log.apply(each, number * HOUR)
    assert log.former_keys == [FormerKey(did_key(first), 0, HOUR), FormerKey(did_key(second), HOUR, 3 * HOUR)]
    assert log.head is not None
    assert log.head.key_since_micros == 3 * HOUR


def test_an_operation_that_the_directory_calls_nullified_is_held_as_such():
    genesis = operation()
    log = log_of(genesis)
    log.apply(operation(genesis, handle="b.test"), HOUR, is_nullified=True)
    assert log.head is not None
    assert log.head.is_nullified
    assert log.apply(operation(genesis, signer=RECOVERY, handle="c.test"), 2 * HOUR) == "recovered"
    assert not log.head.is_nullified
