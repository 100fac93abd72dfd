"""When the labelers that there are get read again, and what is known meanwhile."""

from zeppelin_api.labelers import KnownLabelers, Labelers

DID = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"
WANTED = Labelers((DID,))


def test_they_are_read_by_everybody_until_they_were_read_once():
    known = KnownLabelers(lambda: 0.0)
    known.begin()
    assert known.is_due
    known.note([DID])
    assert not known.is_due


def test_one_reads_them_again_and_the_others_go_on_with_those_of_before():
    now = [0.0]
    known = KnownLabelers(lambda: now[0])
    known.note([DID])
    now[0] = 31.0
    assert known.is_due
    known.begin()
    assert not known.is_due
    assert known.available(WANTED).dids == (DID,)
