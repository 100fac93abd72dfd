"""`#account` messages from hosts that the accounts are not on: left out and counted; the accounts' hosts are asked.

A relay tells of an account what its own host says; a host whose stream is followed directly may say anything of others.
Specification: Account Hosting. Which streams are hosts' own is told by the directory of hosts.
"""

from dataclasses import replace
from typing import Final

from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.errors import InvalidDataError
from zeppelin_pipeline.firehose.batches import EventBatch, Refusal
from zeppelin_pipeline.firehose.stream import relay_host
from zeppelin_pipeline.hosts.host import parse_host
from zeppelin_pipeline.warehouse.keys import KeySpace
from zeppelin_pipeline.warehouse.queries import load_queries

ACCOUNT_OTHER_HOST: Final = "account-other-host"


def without_foreign_accounts(
    connection: Connection[TupleRow], keys: KeySpace, relay: str, batch: EventBatch
) -> EventBatch:
    """A batch without what a host says of accounts whose documents name another one.

    Their repositories are asked for where the documents say, as they may have moved a moment ago; that tells how they
    stand.
    """
    if not batch.accounts:
        return batch
    own = relay_host(relay).key
    by_actor = {keys.actor_id(each.did): each.did for each in batch.accounts}
    asked = {"host": own, "actors": list(by_actor)}
    named = connection.execute(load_queries()["hosts_of_accounts"], asked)
    foreign = {by_actor[actor]: pds for actor, pds in named if _key_of(pds) != own}
    if not foreign:
        return batch
    last_did, last_pds = list(foreign.items())[-1]
    refusal = Refusal(ACCOUNT_OTHER_HOST, len(foreign), last_did, batch.seq, f"it is on {last_pds}"[:500])
    return replace(
        batch,
        accounts=[each for each in batch.accounts if each.did not in foreign],
        deleted=[did for did in batch.deleted if did not in foreign],
        refusals=[*batch.refusals, refusal],
        suspect=dict.fromkeys(foreign, ACCOUNT_OTHER_HOST) | batch.suspect,
    )


def _key_of(pds: str) -> str | None:
    try:
        return parse_host(pds).key
    except InvalidDataError:
        return None
