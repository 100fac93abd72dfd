"""Each fault of a devnet's host, seen by a client: whom it hits, what it looks like, and that it can be mended."""

import time
from collections.abc import Iterator

import httpx2
import pytest

from tests.pipeline.devnet_client import DevnetClient
from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.atproto.car import index_blocks
from zeppelin_pipeline.atproto.cid import cid_to_text
from zeppelin_pipeline.atproto.commit import verify_commit
from zeppelin_pipeline.atproto.repository import Repository, open_repository
from zeppelin_pipeline.devnet.background import DevnetHandle, running_devnet
from zeppelin_pipeline.devnet.faults import Fault, FaultKind
from zeppelin_pipeline.devnet.model import Account, DevnetConfig
from zeppelin_pipeline.errors import InvalidDataError

MOVED = Fault(FaultKind.TWO_HOSTS, share=0.3)
CONFIG = DevnetConfig(repos=30, hosts=2, seed=11, mean_records=40.0, inactive_share=0.0, faults=((1, MOVED),))
DESCRIBE = "com.atproto.server.describeServer"
GET_REPO = "com.atproto.sync.getRepo"


@pytest.fixture(scope="module")
def running() -> Iterator[DevnetHandle]:
    with running_devnet(CONFIG) as handle:
        yield handle


@pytest.fixture
def devnet(running: DevnetHandle) -> Iterator[DevnetHandle]:
    yield running
    running.clear_faults()


@pytest.fixture(scope="module")
def client() -> Iterator[DevnetClient]:
    with httpx2.Client(timeout=20) as http:
        yield DevnetClient(http)


def on_first_host(devnet: DevnetHandle) -> list[Account]:
    return [account for account in devnet.accounts() if account.host == 0]


def opened(devnet: DevnetHandle, client: DevnetClient, account: Account) -> Repository:
    return open_repository(client.car(devnet.hosts[account.host].url, account))


def key_of(client: DevnetClient, devnet: DevnetHandle, account: Account) -> str:
    document = client.http.get(f"{devnet.plc_url}/{account.did}").json()
    return document["verificationMethod"][0]["publicKeyMultibase"]


def test_a_rate_limit_says_how_long_to_wait_and_ends_by_count(devnet: DevnetHandle, client: DevnetClient):
    devnet.set_fault(0, Fault(FaultKind.RATE_LIMIT, first=2, retry_after_seconds=7))
    answers = [client.get(devnet.hosts[0].url, DESCRIBE) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["retry-after"] == "7"
    assert answers[0].headers["ratelimit-remaining"] == "0"
    assert answers[0].json()["error"] == "RateLimitExceeded"


def test_a_server_error_hits_just_the_predicted_accounts(devnet: DevnetHandle, client: DevnetClient):
    fault = Fault(FaultKind.HTTP_ERROR, share=0.4, method=GET_REPO, http_status=502)
    devnet.set_fault(0, fault)
    hit = {account.did for account in devnet.struck(0, fault)}
    failed = {
        account.did
        for account in on_first_host(devnet)
        if client.get(devnet.hosts[0].url, GET_REPO, did=account.did).status_code == 502
    }
    assert failed == hit & {account.did for account in on_first_host(devnet)}
    assert 0 < len(failed) < len(on_first_host(devnet))
    assert client.get(devnet.hosts[0].url, DESCRIBE).status_code == 200


def test_a_reset_comes_in_the_middle_of_the_body(devnet: DevnetHandle, client: DevnetClient):
    devnet.set_fault(0, Fault(FaultKind.RESET, first=1))
    account = on_first_host(devnet)[0]
    query = {"did": account.did}
    with client.http.stream("GET", f"{devnet.hosts[0].url}/xrpc/{GET_REPO}", params=query) as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx2.TransportError):
            answer.read()
    assert int(answer.headers["content-length"]) == len(client.car(devnet.hosts[0].url, account))


def test_a_cut_car_is_whole_in_transport_and_incomplete_in_content(devnet: DevnetHandle, client: DevnetClient):
    devnet.set_fault(0, Fault(FaultKind.CAR_TRUNCATED))
    car = client.car(devnet.hosts[0].url, on_first_host(devnet)[0])
    assert index_blocks(car)[1]
    with pytest.raises(InvalidDataError):
        open_repository(car)


def test_a_flipped_byte_is_found_by_its_hash(devnet: DevnetHandle, client: DevnetClient):
    devnet.set_fault(0, Fault(FaultKind.FLIPPED_BYTE))
    with pytest.raises(InvalidDataError):
        opened(devnet, client, on_first_host(devnet)[0])


@pytest.mark.parametrize("kind", [FaultKind.WRONG_SIGNATURE, FaultKind.REFUSED_BLOCK, FaultKind.INVALID_RECORD])
def test_spoilt_content_is_listed_with_the_head_that_is_served(
    devnet: DevnetHandle, client: DevnetClient, kind: FaultKind
):
    account, url = on_first_host(devnet)[0], devnet.hosts[0].url
    good = opened(devnet, client, account)
    devnet.set_fault(0, Fault(kind))
    spoilt = opened(devnet, client, account)
    assert spoilt.commit_cid != good.commit_cid
    listed = client.json(url, "com.atproto.sync.listRepos")["repos"][0]
    assert (listed["did"], listed["head"]) == (account.did, cid_to_text(spoilt.commit_cid))
    devnet.clear_faults(0)
    assert opened(devnet, client, account).commit_cid == good.commit_cid


def test_only_a_wrong_signature_fails_to_verify(devnet: DevnetHandle, client: DevnetClient):
    account = on_first_host(devnet)[0]
    key = devnet.signing_key_of(account.did)
    verdicts: dict[FaultKind, bool] = {}
    for kind in (FaultKind.WRONG_SIGNATURE, FaultKind.REFUSED_BLOCK, FaultKind.INVALID_RECORD):
        devnet.set_fault(0, Fault(kind))
        verdicts[kind] = verify_commit(opened(devnet, client, account).commit, key)
        devnet.clear_faults(0)
    assert key.to_multibase() == key_of(client, devnet, account)
    assert verdicts == {
        FaultKind.WRONG_SIGNATURE: False,
        FaultKind.REFUSED_BLOCK: True,
        FaultKind.INVALID_RECORD: True,
    }


def test_a_refused_block_is_served_as_a_record_all_the_same(devnet: DevnetHandle, client: DevnetClient):
    devnet.set_fault(0, Fault(FaultKind.REFUSED_BLOCK))
    repository = opened(devnet, client, on_first_host(devnet)[0])
    blocks = [repository.record_bytes(entry) for entry in repository.entries]
    readings = [dag_cbor.decode_lenient(block) for block in blocks]
    assert [is_strict for _, is_strict in readings].count(False) == 1


def test_a_slow_host_answers_late_and_drips(devnet: DevnetHandle, client: DevnetClient):
    devnet.set_fault(0, Fault(FaultKind.SLOW, delay_seconds=0.3))
    started = time.monotonic()
    opened(devnet, client, on_first_host(devnet)[0])
    assert time.monotonic() - started > 0.5


def test_a_dead_host_drops_every_connection_until_it_is_mended(devnet: DevnetHandle, client: DevnetClient):
    url = devnet.hosts[0].url
    devnet.set_fault(0, Fault(FaultKind.DEAD))
    for method in (DESCRIBE, "com.atproto.sync.listRepos"):
        with pytest.raises(httpx2.TransportError):
            client.get(url, method)
    assert client.get(devnet.hosts[1].url, DESCRIBE).status_code == 200
    devnet.clear_faults(0)
    assert client.get(url, DESCRIBE).status_code == 200


def test_faults_are_set_read_and_mended_over_http(devnet: DevnetHandle, client: DevnetClient):
    admin, url = f"{devnet.hosts[1].url}/_devnet/faults", devnet.hosts[1].url
    assert client.http.post(admin, json={"kind": "http-error", "first": 5}).status_code == 200
    assert client.get(url, DESCRIBE).status_code == 503
    standing = client.http.get(admin).json()["faults"]
    assert [(fault["kind"], fault["strikes"]) for fault in standing] == [("http-error", 1)]
    assert client.http.delete(admin).json() == {"faults": []}
    assert client.get(url, DESCRIBE).status_code == 200
    for nonsense in ({"kind": "nothing"}, {"share": 1}, {"kind": "two-hosts"}):
        assert client.http.post(admin, json=nonsense).status_code == 400
    assert client.http.get(f"{url}/_devnet/requests").json()[DESCRIBE] >= 2


def test_a_moved_account_is_served_older_by_the_host_that_it_left(devnet: DevnetHandle, client: DevnetClient):
    moved = [account for account in devnet.accounts() if account.former_host is not None]
    assert moved
    for account in moved:
        older = open_repository(client.car(devnet.hosts[1].url, account))
        newer = open_repository(client.car(devnet.hosts[0].url, account))
        assert older.commit.rev < newer.commit.rev
        assert older.entries == newer.entries[: len(older.entries)]
        document = client.http.get(f"{devnet.plc_url}/{account.did}").json()
        assert document["service"][0]["serviceEndpoint"] == devnet.hosts[0].url
        log = client.http.get(f"{devnet.plc_url}/{account.did}/log").json()
        endpoints = [operation["services"]["atproto_pds"]["endpoint"] for operation in log]
        assert endpoints[1:] == [devnet.hosts[1].url, devnet.hosts[0].url]
