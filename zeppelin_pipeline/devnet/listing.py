"""Pages of `com.atproto.sync.listRepos`, as hosts and relay both give them."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from zeppelin_pipeline.atproto.cid import cid_to_text
from zeppelin_pipeline.devnet.faults import FaultKind
from zeppelin_pipeline.devnet.model import Account, AccountStatus
from zeppelin_pipeline.devnet.state import NetworkState

PAGE_SECONDS = 3.0
"""A page ends early after so long: heads are known only once a repository is made, which clients would not wait for."""


def list_repos(
    state: NetworkState,
    accounts: Iterable[Account],
    limit: int,
    start: int,
    fault_of: Callable[[Account], FaultKind | None],
    status_of: Callable[[Account], AccountStatus],
) -> dict[str, Any]:
    """One page, in the order of account numbers, with heads and revisions as they would be served.

    Args:
        state: the network.
        accounts: all that are listed, in the order of their numbers.
        limit: at most so many.
        start: the cursor: the first number of the page.
        fault_of: what is wrong with the repository of an account as it is served.
        status_of: how an account stands there.
    """
    ends_at = time.monotonic() + PAGE_SECONDS
    repos: list[dict[str, Any]] = []
    for account in accounts:
        if account.index < start:
            continue
        if len(repos) == limit or (repos and time.monotonic() > ends_at):
            return {"repos": repos, "cursor": str(account.index)}
        status = status_of(account)
        if status is not AccountStatus.DELETED:
            repos.append(_view(state, account, status, fault_of(account)))
    return {"repos": repos}


def _view(state: NetworkState, account: Account, status: AccountStatus, fault: FaultKind | None) -> dict[str, Any]:
    served = state.repository(account, fault)
    is_active = status is AccountStatus.ACTIVE
    view = {"did": account.did, "head": cid_to_text(served.head), "rev": served.rev, "active": is_active}
    return view if is_active else view | {"status": status.value}
