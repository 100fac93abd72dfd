"""Accounts: identities that check out, sizes and hosts as on a real network."""

from base64 import urlsafe_b64decode

import numpy as np
import pytest

from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.atproto.crypto import PublicKey
from zeppelin_pipeline.atproto.syntax import is_did, is_handle
from zeppelin_pipeline.devnet.faults import Fault, FaultKind
from zeppelin_pipeline.devnet.model import AccountStatus, DevnetConfig
from zeppelin_pipeline.devnet.operations import plc_did
from zeppelin_pipeline.devnet.population import make_population
from zeppelin_pipeline.devnet.repositories import RepositoryMaker
from zeppelin_pipeline.errors import ConfigurationError


def test_each_did_is_the_hash_of_a_genesis_signed_by_its_rotation_key(maker: RepositoryMaker):
    population = maker.population
    for account, genesis in zip(population.accounts, population.geneses, strict=True):
        assert account.did == plc_did(genesis)
        unsigned = {name: value for name, value in genesis.content.items() if name != "sig"}
        signature = urlsafe_b64decode(genesis.content["sig"] + "==")
        rotation_key = PublicKey.from_did_key(genesis.content["rotationKeys"][0])
        assert rotation_key.verify(signature, dag_cbor.encode(unsigned))
        signing_key = population.signing_key(account).public_key.to_did_key()
        assert genesis.content["verificationMethods"] == {"atproto": signing_key}


def test_dids_and_handles_are_well_formed_and_unique(maker: RepositoryMaker):
    accounts = maker.population.accounts
    assert all(is_did(account.did) and is_handle(account.handle) for account in accounts)
    assert len({account.did for account in accounts}) == len({account.handle for account in accounts}) == len(accounts)


def test_accounts_of_did_web_are_as_long_as_others_and_no_more_than_there_are():
    accounts = make_population(DevnetConfig(repos=4, hosts=1, inactive_share=1.0, web_ports=(2610, 65_000))).accounts
    web = [account for account in accounts if account.is_web]
    assert [account.did for account in web] == [
        "did:web:localhost%3A000000002610",
        "did:web:localhost%3A000000065000",
    ]
    assert all(is_did(account.did) and account.is_active for account in web)
    assert {len(account.did) for account in accounts} == {32}
    with pytest.raises(ConfigurationError, match="too many for 2"):
        DevnetConfig(repos=2, web_ports=(2610, 2611))


def test_every_host_has_accounts_and_the_first_has_most():
    population = make_population(DevnetConfig(repos=300, hosts=6))
    held = [len(population.on_host(host)) for host in range(6)]
    assert min(held) > 0
    assert held[0] == max(held)


def test_both_curves_and_every_inactive_status_occur():
    accounts = make_population(DevnetConfig(repos=300)).accounts
    assert {account.curve for account in accounts} == {"k256", "p256"}
    expected = {AccountStatus.ACTIVE, AccountStatus.DEACTIVATED, AccountStatus.TAKENDOWN, AccountStatus.SUSPENDED}
    assert {account.status for account in accounts} == expected


def test_two_thousand_repositories_have_the_mean_size_and_three_large_ones():
    sizes = make_population(DevnetConfig(repos=2000)).sizes
    assert abs(sizes.mean() - 300) < 3
    assert (sizes > 20_000).sum() == 3
    assert np.median(sizes) < 150


def test_the_moved_accounts_are_listed_by_both_hosts():
    fault = Fault(FaultKind.TWO_HOSTS, share=0.3)
    population = make_population(DevnetConfig(repos=60, hosts=2, faults=((1, fault),)))
    moved = [account for account in population.accounts if account.former_host is not None]
    assert moved
    for account in moved:
        assert (account.host, account.former_host) == (0, 1)
        assert fault.hits(account.did)
        assert account in population.on_host(0)
        assert account in population.on_host(1)
