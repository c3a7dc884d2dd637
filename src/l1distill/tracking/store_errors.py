"""Turn errors of the tracking store into one-line errors: a full or broken database, a server."""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from l1distill.core.credentials import hide_credentials
from l1distill.core.errors import L1DistillError, ResourceError, first_line
from l1distill.core.resources import exception_chain

WAY_OUT = "set MLFLOW_TRACKING_URI or tracking.uri to a store that works"
_OUT_OF_ROOM = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
_UNUSABLE = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
)
_REFUSED = (401, 403, 413, 429)
"""HTTP status of a server that does not let this user in, or not so much at once; from 500 on the
server itself has failed. Any other answer is a request that was wrong: a defect of ours."""
_DISK_FULL = ("disk is full", "disk full", "No space left on device", "disk I/O error")
"""What databases and servers say of a full disk."""
_TWICE = ("UniqueViolation", "UNIQUE constraint failed", "Duplicate entry")
"""What they say of a request that MLflow's client repeated because the answer to it was lost, where
the server does not know it again."""


@contextmanager
def store_errors_as_one_line() -> Iterator[None]:
    """Turn the errors of a tracking store that can no longer be used into a ResourceError.

    Raises:
        ResourceError: the database file is full, locked, read-only or damaged, or the server does
            not answer, fails, or refuses.
    """
    try:
        yield
    except L1DistillError:
        raise
    except Exception as error:
        mlflow: Any = sys.modules.get("mlflow")
        if mlflow is None:
            raise
        uri = mlflow.get_tracking_uri()
        reason = database_reason(error)
        if reason is None and uri.startswith(("http://", "https://")):
            reason = _server_reason(error)
        if reason is None:
            raise
        raise ResourceError(hide_credentials(f"MLflow store {uri}: {reason}")) from error


def database_reason(error: Exception) -> str | None:
    """Return the database's message and a way out if it is the reason, else None.

    That is SQLite's file, or another database that is gone, full or refuses: what all drivers call
    an operational error.
    """
    for cause in exception_chain(error):
        code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
        if code in _OUT_OF_ROOM:
            return f"{first_line(cause)}; make room, or {WAY_OUT}"
        if code in _UNUSABLE:
            return f"{first_line(cause)}; {WAY_OUT}"
    return _of_other_databases(error)


def _of_other_databases(error: Exception) -> str | None:
    sqlalchemy: Any = sys.modules.get("sqlalchemy.exc")
    if sqlalchemy is None:
        return None
    for cause in exception_chain(error):
        if not isinstance(cause, sqlalchemy.OperationalError | sqlalchemy.InterfaceError):
            continue
        if isinstance(cause.orig, sqlite3.Error):
            return None
        answer = first_line(cause)
        return f"{answer}; {_way_out(answer)}"
    return None


def _server_reason(error: Exception) -> str | None:
    """Return what the server answered and a way out if it failed or refused, else None."""
    from mlflow.exceptions import MlflowException, RestException
    from requests import RequestException

    chain = list(exception_chain(error))
    for cause in chain:  # of a file; MLflow's client says itself what was answered to a call
        response = getattr(cause, "response", None) if isinstance(cause, RequestException) else None
        if response is not None:
            answer = " ".join(f"{first_line(cause)}: {response.text}".split())[:500]
            return f"{answer}; {_way_out(answer)}"
    if any(isinstance(cause, RequestException) for cause in chain):
        # MLflow's client drops what the server wrote with a status that is worth another attempt
        answer = first_line(chain[-1])
        hint = ", its disk may be full" if "error responses" in answer else ""
        return f"{answer}; look into the server's log{hint}, or {WAY_OUT}"
    answers: list[Any] = [cause for cause in chain if isinstance(cause, MlflowException)]
    for cause in answers:
        status = int(cause.get_http_status_code())
        of_server = isinstance(cause, RestException) or str(cause).startswith("API request to")
        if of_server and any(words in str(cause) for words in _TWICE):
            return "its answer to a request was lost on the way; run the command again"
        if of_server and (status >= 500 or status in _REFUSED):
            answer = " ".join(str(cause).split())[:300]
            return f"{answer}; {_way_out(answer)}"
    return None


def _way_out(answer: str) -> str:
    """Return what to do about an answer of a server that fails or refuses."""
    full = any(words in answer for words in _DISK_FULL)
    return f"{'make room there' if full else 'ask who runs it'}, or {WAY_OUT}"
