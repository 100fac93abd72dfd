"""Faults as values: whom they hit, how they are written."""

import pytest

from zeppelin_pipeline.devnet.faults import Fault, FaultKind, fault_from_json, fault_to_json, parse_fault_option
from zeppelin_pipeline.devnet.host import RateLimiter, StandingFault
from zeppelin_pipeline.devnet.rate_limit import RateLimit
from zeppelin_pipeline.errors import ConfigurationError

GET_REPO = "com.atproto.sync.getRepo"
LIST_REPOS = "com.atproto.sync.listRepos"
DIDS = [f"did:plc:{number:024d}" for number in range(1000)]


def test_a_share_of_accounts_is_hit_always_the_same():
    fault = Fault(FaultKind.HTTP_ERROR, share=0.25)
    hit = [did for did in DIDS if fault.hits(did)]
    assert 180 < len(hit) < 320
    assert hit == [did for did in DIDS if fault.hits(did)]


def test_faults_of_repositories_touch_no_other_method():
    assert Fault(FaultKind.RESET).touches(GET_REPO)
    assert not Fault(FaultKind.RESET).touches(LIST_REPOS)
    assert Fault(FaultKind.HTTP_ERROR).touches(LIST_REPOS)
    assert not Fault(FaultKind.HTTP_ERROR, method=GET_REPO).touches(LIST_REPOS)


def test_a_counted_fault_is_used_up():
    standing = StandingFault(Fault(FaultKind.HTTP_ERROR, first=2))
    assert [standing.strike(GET_REPO, DIDS[0]) for _ in range(4)] == [True, True, False, False]


def test_an_option_reads_into_host_and_fault():
    assert parse_fault_option("2:slow,share=0.5,delay_seconds=3") == (
        2,
        Fault(FaultKind.SLOW, share=0.5, delay_seconds=3),
    )
    assert parse_fault_option("0:dead") == (0, Fault(FaultKind.DEAD))
    assert parse_fault_option("1:http-error,first=20,method=com.atproto.sync.getRepo,http_status=500") == (
        1,
        Fault(FaultKind.HTTP_ERROR, first=20, method=GET_REPO, http_status=500),
    )


@pytest.mark.parametrize("text", ["", "dead", "x:dead", "0:", "0:nothing", "0:dead,share=much", "0:dead,colour=1"])
def test_an_option_that_does_not_read_is_refused(text: str):
    with pytest.raises(ConfigurationError):
        parse_fault_option(text)


def test_json_gives_the_fault_back():
    fault = Fault(FaultKind.RATE_LIMIT, share=0.5, first=3, retry_after_seconds=9)
    assert fault_from_json(fault_to_json(fault)) == fault


@pytest.mark.parametrize("value", [{}, {"kind": "dead", "share": "all"}, {"kind": "dead", "what": 1}, {"kind": "x"}])
def test_json_that_is_no_fault_is_refused(value: dict[str, object]):
    with pytest.raises(ConfigurationError):
        fault_from_json(value)


def test_a_client_gets_its_allowance_and_twice_that_of_repositories():
    limiter = RateLimiter(RateLimit(requests=2, window_seconds=60))
    assert [limiter.count("a", LIST_REPOS)[0] for _ in range(3)] == [True, True, False]
    assert [limiter.count("a", GET_REPO)[0] for _ in range(5)] == [True, True, True, True, False]
    is_allowed, headers = limiter.count("b", LIST_REPOS)
    assert is_allowed
    assert (headers["ratelimit-limit"], headers["ratelimit-remaining"]) == ("2", "1")
    assert headers["ratelimit-policy"] == "2;w=60"
