"""That a shard's work leaves the process's garbage collector as it found it, whatever becomes of the work."""

import gc

import pytest

from zeppelin_pipeline.repos.working_memory import working_memory


def test_what_is_there_is_left_out_of_the_search_for_garbage_only_within() -> None:
    with working_memory():
        assert gc.get_freeze_count() > 0
        assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_an_error_ends_it_too() -> None:
    with pytest.raises(RuntimeError), working_memory():
        raise RuntimeError
    assert gc.get_freeze_count() == 0


def test_what_another_one_froze_stays_frozen() -> None:
    gc.freeze()
    try:
        with working_memory():
            pass
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
