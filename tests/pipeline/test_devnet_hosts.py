"""The devnet's PLC directory, hosts and relay over HTTP: what they answer agrees with each other and with the truth."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import httpx2
import pytest

from tests.pipeline.devnet_client import DevnetClient
from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.atproto.car import index_blocks
from zeppelin_pipeline.atproto.cid import RAW_PREFIX, cid_from_text, cid_to_text
from zeppelin_pipeline.atproto.commit import verify_commit
from zeppelin_pipeline.atproto.crypto import PublicKey
from zeppelin_pipeline.atproto.repository import open_repository
from zeppelin_pipeline.devnet import listing
from zeppelin_pipeline.devnet.background import DevnetHandle, running_devnet
from zeppelin_pipeline.devnet.blobs import referenced_blobs
from zeppelin_pipeline.devnet.faults import Fault, FaultKind
from zeppelin_pipeline.devnet.model import Account, AccountStatus, DevnetConfig
from zeppelin_pipeline.devnet.rate_limit import RateLimit
from zeppelin_pipeline.devnet.repositories import make_repository_maker
from zeppelin_pipeline.devnet.state import NetworkState
from zeppelin_pipeline.devnet.store import RepositoryStore
from zeppelin_pipeline.errors import ConfigurationError

CONFIG = DevnetConfig(repos=40, hosts=3, seed=5, mean_records=60.0, inactive_share=0.1)


@pytest.fixture(scope="module")
def devnet() -> Iterator[DevnetHandle]:
    with running_devnet(CONFIG) as handle:
        yield handle


@pytest.fixture(scope="module")
def client() -> Iterator[DevnetClient]:
    with httpx2.Client(timeout=20) as http:
        yield DevnetClient(http)


def host_url(devnet: DevnetHandle, account: Account) -> str:
    return devnet.hosts[account.host].url


def active(devnet: DevnetHandle) -> list[Account]:
    return [account for account in devnet.accounts() if account.is_active]


def test_the_relay_lists_the_hosts_page_by_page(devnet: DevnetHandle, client: DevnetClient):
    first = client.json(devnet.relay_url, "com.atproto.sync.listHosts", limit=2)
    rest = client.json(devnet.relay_url, "com.atproto.sync.listHosts", limit=2, cursor=first["cursor"])
    listed = first["hosts"] + rest["hosts"]
    assert "cursor" not in rest
    assert [host["hostname"] for host in listed] == [host.hostname for host in devnet.hosts]
    assert sum(host["accountCount"] for host in listed) == CONFIG.repos
    assert {host["status"] for host in listed} == {"active"}


def test_the_hosts_list_every_repository_once_and_as_served(devnet: DevnetHandle, client: DevnetClient):
    seen: list[str] = []
    for host in devnet.hosts:
        cursor: str | None = ""
        while cursor is not None:
            page = client.json(host.url, "com.atproto.sync.listRepos", limit=7, cursor=cursor)
            cursor = page.get("cursor")
            for repo in page["repos"]:
                seen.append(repo["did"])
                if repo["active"]:
                    latest = client.json(host.url, "com.atproto.sync.getLatestCommit", did=repo["did"])
                    assert latest == {"cid": repo["head"], "rev": repo["rev"]}
    assert sorted(seen) == sorted(account.did for account in devnet.accounts())


def test_the_relay_lists_what_the_hosts_list(devnet: DevnetHandle, client: DevnetClient):
    by_relay = client.json(devnet.relay_url, "com.atproto.sync.listRepos", limit=1000)["repos"]
    by_hosts = [
        repo
        for host in devnet.hosts
        for repo in client.json(host.url, "com.atproto.sync.listRepos", limit=1000)["repos"]
    ]
    assert sorted(by_relay, key=lambda repo: repo["did"]) == sorted(by_hosts, key=lambda repo: repo["did"])


def test_repositories_verify_by_the_key_of_the_directory(devnet: DevnetHandle, client: DevnetClient):
    for account in active(devnet):
        opened = open_repository(client.car(host_url(devnet, account), account))
        document = client.http.get(f"{devnet.plc_url}/{account.did}").json()
        assert document["service"][0]["serviceEndpoint"] == host_url(devnet, account)
        assert document["alsoKnownAs"] == [f"at://{account.handle}"]
        key = PublicKey.from_multibase(document["verificationMethod"][0]["publicKeyMultibase"])
        assert key.curve == account.curve
        assert verify_commit(opened.commit, key)
        assert [(record.key, record.cid) for record in devnet.records_of(account.did)] == opened.entries


def test_inactive_repositories_are_listed_so_and_refused(devnet: DevnetHandle, client: DevnetClient):
    errors = {
        AccountStatus.DEACTIVATED: "RepoDeactivated",
        AccountStatus.TAKENDOWN: "RepoTakendown",
        AccountStatus.SUSPENDED: "RepoSuspended",
    }
    inactive = [account for account in devnet.accounts() if not account.is_active]
    assert len(inactive) == 4
    for account in inactive:
        url = host_url(devnet, account)
        answer = client.get(url, "com.atproto.sync.getRepo", did=account.did)
        assert (answer.status_code, answer.json()["error"]) == (400, errors[account.status])
        status = client.json(url, "com.atproto.sync.getRepoStatus", did=account.did)
        assert status == {"did": account.did, "active": False, "status": account.status.value}


def test_a_repository_of_another_host_is_not_found(devnet: DevnetHandle, client: DevnetClient):
    account = next(account for account in active(devnet) if account.host == 1)
    answer = client.get(devnet.hosts[0].url, "com.atproto.sync.getRepo", did=account.did)
    assert (answer.status_code, answer.json()["error"]) == (400, "RepoNotFound")


def test_errors_are_those_of_xrpc(devnet: DevnetHandle, client: DevnetClient):
    url = devnet.hosts[0].url
    unknown = client.get(url, "com.example.unknown")
    assert (unknown.status_code, unknown.json()["error"]) == (501, "MethodNotImplemented")
    for parameters in ({}, {"did": "nonsense"}):
        answer = client.get(url, "com.atproto.sync.getRepo", **parameters)
        assert (answer.status_code, answer.json()["error"]) == (400, "InvalidRequest")
    for parameters in ({"limit": 0}, {"limit": 1001}, {"cursor": "x"}):
        assert client.get(url, "com.atproto.sync.listRepos", **parameters).status_code == 400
    assert client.http.get(f"{url}/nothing/here").status_code == 404


def test_since_the_present_there_is_nothing_and_since_long_ago_everything(devnet: DevnetHandle, client: DevnetClient):
    account = active(devnet)[0]
    url = host_url(devnet, account)
    assert index_blocks(client.car(url, account, since=devnet.rev_of(account.did)))[1] == {}
    assert client.car(url, account, since="2222222222222") == client.car(url, account)


def test_records_are_given_one_by_one_and_in_pages(devnet: DevnetHandle, client: DevnetClient):
    account = active(devnet)[0]
    url = host_url(devnet, account)
    truth = devnet.records_of(account.did)
    collections = client.json(url, "com.atproto.repo.describeRepo", repo=account.handle)["collections"]
    assert collections == sorted({record.collection for record in truth})
    for collection in collections:
        expected = [record for record in truth if record.collection == collection]
        found: list[tuple[str, str]] = []
        parameters = {"repo": account.did, "collection": collection, "limit": 9, "reverse": "true"}
        while page := client.json(url, "com.atproto.repo.listRecords", **parameters)["records"]:
            found += [(record["uri"].rpartition("/")[2], record["cid"]) for record in page]
            parameters["cursor"] = found[-1][0]
        assert found == [(record.rkey, cid_to_text(record.cid)) for record in expected]
        record = expected[0]
        one = client.json(url, "com.atproto.repo.getRecord", repo=account.did, collection=collection, rkey=record.rkey)
        assert one["value"] == dag_cbor.to_json(dag_cbor.decode(record.block))


def test_a_record_that_is_not_there_is_not_found(devnet: DevnetHandle, client: DevnetClient):
    account = active(devnet)[0]
    answer = client.get(
        host_url(devnet, account),
        "com.atproto.repo.getRecord",
        repo=account.did,
        collection="app.bsky.feed.post",
        rkey="3zzzzzzzzzzzz",
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "RecordNotFound")


def test_a_records_proof_reaches_from_the_commit_to_the_record(devnet: DevnetHandle, client: DevnetClient):
    account = active(devnet)[0]
    record = devnet.records_of(account.did)[5]
    answer = client.get(
        host_url(devnet, account),
        "com.atproto.sync.getRecord",
        did=account.did,
        collection=record.collection,
        rkey=record.rkey,
    )
    root, blocks = index_blocks(answer.content)
    start, end = blocks[record.cid]
    assert answer.content[start:end] == record.block
    whole = open_repository(client.car(host_url(devnet, account), account))
    assert root == whole.commit_cid
    assert whole.commit.data in blocks
    assert len(blocks) < len(whole.blocks)


def test_blobs_are_the_bytes_that_their_references_promise(devnet: DevnetHandle, client: DevnetClient):
    account = active(devnet)[0]
    url = host_url(devnet, account)
    truth = devnet.records_of(account.did)
    expected = {cid_to_text(cid) for record in truth for cid in referenced_blobs(dag_cbor.decode(record.block))}
    assert expected
    assert set(client.json(url, "com.atproto.sync.listBlobs", did=account.did)["cids"]) == expected
    for text in expected:
        answer = client.get(url, "com.atproto.sync.getBlob", did=account.did, cid=text)
        assert answer.status_code == 200
        assert RAW_PREFIX + sha256(answer.content).digest() == cid_from_text(text)
    missing = client.get(url, "com.atproto.sync.getBlob", did=account.did, cid=cid_to_text(truth[0].cid))
    assert (missing.status_code, missing.json()["error"]) == (400, "BlobNotFound")


def test_handles_resolve_on_their_host(devnet: DevnetHandle, client: DevnetClient):
    account = active(devnet)[0]
    url = host_url(devnet, account)
    resolved = client.json(url, "com.atproto.identity.resolveHandle", handle=account.handle)
    assert resolved == {"did": account.did}
    assert client.get(url, "com.atproto.identity.resolveHandle", handle="nobody.devnet.test").status_code == 400


def test_the_directory_exports_every_operation_in_the_order_of_time(devnet: DevnetHandle, client: DevnetClient):
    exported: list[dict[str, object]] = []
    after = ""
    while True:
        query = {"count": "15"} | ({"after": after} if after else {})
        lines = client.http.get(f"{devnet.plc_url}/export", params=query).text.splitlines()
        if not lines:
            break
        exported += [json.loads(line) for line in lines]
        after = str(exported[-1]["createdAt"])
    assert [line["createdAt"] for line in exported] == sorted(str(line["createdAt"]) for line in exported)
    assert len(exported) == 2 * CONFIG.repos
    for account in devnet.accounts()[:5]:
        log = client.http.get(f"{devnet.plc_url}/{account.did}/log").json()
        assert log == [line["operation"] for line in exported if line["did"] == account.did]
        assert log[1]["prev"] == next(line["cid"] for line in exported if line["did"] == account.did)
        data = client.http.get(f"{devnet.plc_url}/{account.did}/data").json()
        assert data["services"] == log[-1]["services"]
    assert client.http.get(f"{devnet.plc_url}/did:plc:aaaaaaaaaaaaaaaaaaaaaaaa").status_code == 404


def test_a_client_that_asks_too_often_is_told_to_wait(client: DevnetClient):
    config = DevnetConfig(repos=3, hosts=1, mean_records=5.0, rate_limit=RateLimit(requests=3, window_seconds=60))
    with running_devnet(config) as devnet:
        answers = [client.get(devnet.hosts[0].url, "com.atproto.server.describeServer") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert answers[3].json()["error"] == "RateLimitExceeded"
    assert int(answers[3].headers["ratelimit-reset"]) > 1_700_000_000


def test_a_kept_folder_gives_the_same_repositories_on_the_same_accounts(tmp_path: Path, client: DevnetClient):
    config = DevnetConfig(repos=4, hosts=1, mean_records=20.0, data_dir=tmp_path)
    cars: list[list[bytes]] = []
    for _ in range(2):
        with running_devnet(config) as devnet:
            cars.append([client.car(devnet.hosts[0].url, account) for account in devnet.accounts()])
    assert cars[0] == cars[1]
    assert len(list(tmp_path.rglob("*.car"))) == 4


def test_a_port_that_is_taken_is_named():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with (
            pytest.raises(ConfigurationError, match=f"port {port} "),
            running_devnet(DevnetConfig(repos=1, hosts=1, mean_records=1.0, base_port=port)),
        ):
            pytest.fail("it came to serve")


def test_a_fault_needs_a_host():
    with pytest.raises(ConfigurationError, match="no host 3"):
        DevnetConfig(hosts=3, faults=((3, Fault(FaultKind.DEAD)),))


def test_a_page_that_takes_too_long_to_make_ends_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(listing, "PAGE_SECONDS", 0.0)
    maker = make_repository_maker(DevnetConfig(repos=4, hosts=1, mean_records=3.0))
    state, accounts = NetworkState(maker, RepositoryStore(maker, tmp_path)), maker.population.accounts
    found: list[str] = []
    cursor: str | None = "0"
    while cursor is not None:
        page = listing.list_repos(state, accounts, 1000, int(cursor), lambda _: None, state.status)
        assert len(page["repos"]) == 1
        found.append(page["repos"][0]["did"])
        cursor = page.get("cursor")
    assert found == [account.did for account in accounts]


def test_the_command_serves_until_it_is_told_to_stop(tmp_path: Path, client: DevnetClient):
    description = tmp_path / "devnet.json"
    program = "import typer; from zeppelin_pipeline.devnet.command import devnet_command; typer.run(devnet_command)"
    options = ["--repos", "5", "--hosts", "2", "--mean-records", "10", "--description", str(description)]
    command = [sys.executable, "-c", program, *options, "--fault", "1:http-error,http_status=502"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        found = json.loads(description.read_text())
        listed = client.json(found["relay_url"], "com.atproto.sync.listHosts")["hosts"]
        broken = client.get(found["hosts"][1], "com.atproto.server.describeServer")
        process.terminate()
        assert process.wait(20) == 0
    assert [host["hostname"] for host in listed] == [url.removeprefix("http://") for url in found["hosts"]]
    assert broken.status_code == 502
    assert found["plc_url"] in lines[0]
    assert not description.exists()
