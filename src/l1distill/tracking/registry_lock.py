"""Lock a registered model for all users of a tracking store, whatever that is.

MLflow has no lock and no compare-and-swap. What it does have, on SQLite, on PostgreSQL and behind
a server, is that of two registered models of one name only one can be created: the lock is a
registered model of the name ``<model>.lock`` that is there while somebody decides who is champion,
for some seconds.
"""

import os
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l1distill.core.errors import ResourceError
from l1distill.tracking.checkout import user_and_host

if TYPE_CHECKING:
    from mlflow import MlflowClient

LEASE_S = 180.0
"""A holder moves nothing after half this time; a lock that is older was left by a killed process.
Each side measures it by its own clock, from when it first saw the lock."""
PATIENCE_S = 600.0
"""How long somebody waits for his turn."""
PAUSE_S = 0.2
TOKEN, OWNER = "token", "owner"


@dataclass(frozen=True, kw_only=True)
class Hold:
    """A lock that is held.

    Attributes:
        name: of the lock.
        token: tells this holder from any other.
        since: on the clock of ``time.monotonic``.
        lease_s: for how long.
    """

    name: str
    token: str
    since: float
    lease_s: float

    def check(self, client: "MlflowClient") -> None:
        """Make sure that the lock is still held, before something is moved.

        Raises:
            ResourceError: it took too long, or somebody removed the lock.
        """
        late = time.monotonic() - self.since > self.lease_s / 2
        if late or _token(client, self.name) != self.token:
            raise ResourceError(
                f"{self.name}: the lock of the registry was lost before the alias moved; nothing "
                "was moved: run the command again"
            )


@contextmanager
def registry_lock(
    client: "MlflowClient", model: str, lease_s: float = LEASE_S, patience_s: float = PATIENCE_S
) -> Iterator[Hold]:
    """Hold the lock of a registered model.

    Args:
        client: of the store.
        model: name of the registered model.
        lease_s: after which a lock is taken for one that a killed process left [s].
        patience_s: how long to wait for it [s].

    Raises:
        ResourceError: somebody else held it all the time.
    """
    name = f"{model}.lock"
    hold = _acquire(client, name, lease_s, patience_s)
    try:
        yield hold
    finally:
        # Whoever took over a lock that was held for too long has one of his own there now.
        with suppress(Exception):
            if _token(client, name) == hold.token:
                client.delete_registered_model(name)


def _acquire(client: "MlflowClient", name: str, lease_s: float, patience_s: float) -> Hold:
    token = uuid.uuid4().hex
    start = time.monotonic()
    seen, since = None, start
    while True:
        if _create(client, name, token):
            return Hold(name=name, token=token, since=time.monotonic(), lease_s=lease_s)
        other, now = _token(client, name), time.monotonic()
        if other == token:  # the answer to our own request was lost, and it was made again
            return Hold(name=name, token=token, since=now, lease_s=lease_s)
        if other != seen:
            if seen is None:
                owner = _owner(client, name)
                gone = f"at most {lease_s:.0f} s if that process is gone"
                print(f"waiting for {owner}, who decides now; {gone}", file=sys.stderr)
            seen, since = other, now
        if other is not None and now - since > lease_s:
            is_overdue = now - since > 2 * lease_s
            if _remove_stale(client, name, other, is_overdue=is_overdue):
                continue
        if now - start > patience_s:
            raise ResourceError(
                f"{name}: {_owner(client, name)} holds the lock of the registry; try again later, "
                f"or delete the registered model {name} if nobody is promoting"
            )
        time.sleep(PAUSE_S)


def _remove_stale(client: "MlflowClient", name: str, token: str, *, is_overdue: bool) -> bool:
    """Remove a lock that a killed process left; of several who try, one does.

    Args:
        client: of the store.
        name: of the lock.
        token: of the killed process.
        is_overdue: nobody has removed it for as long again: who began to was killed, too. Should
            two then remove it at once, a third who has taken it meanwhile notices before he moves
            anything.

    Returns:
        Whether this process was the one.
    """
    breaker = f"{name}.{token}"
    if is_overdue:
        _delete(client, breaker)
    if not _create(client, breaker, token):
        return False
    try:
        if _token(client, name) == token:
            _delete(client, name)
    finally:
        _delete(client, breaker)
    return True


def _delete(client: "MlflowClient", name: str) -> None:
    """Delete a registered model, if it is there."""
    from mlflow.exceptions import MlflowException

    try:
        client.delete_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise


def _create(client: "MlflowClient", name: str, token: str) -> bool:
    """Create a registered model; returns whether it was not there already.

    MLflow says that it does not exist where it was there and is deleted at this moment.
    """
    from mlflow.exceptions import MlflowException

    owner = f"{user_and_host()}, process {os.getpid()}"
    try:
        client.create_registered_model(name, tags={TOKEN: token, OWNER: owner})
    except MlflowException as error:
        if error.error_code in ("RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST"):
            return False
        raise
    return True


def _token(client: "MlflowClient", name: str) -> str | None:
    return _tags(client, name).get(TOKEN)


def _owner(client: "MlflowClient", name: str) -> str:
    return _tags(client, name).get(OWNER, "somebody else")


def _tags(client: "MlflowClient", name: str) -> dict[str, str]:
    """Return the tags of a registered model; none if it is gone."""
    from mlflow.exceptions import MlflowException

    try:
        return dict(client.get_registered_model(name).tags)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return {}
        raise
