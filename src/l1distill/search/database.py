"""The database of a search: its address, its tables, and what is wrong with it in one line."""

import importlib.util
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from l1distill.core.credentials import hide_credentials
from l1distill.core.errors import (
    ConfigError,
    DataError,
    L1DistillError,
    ResourceError,
    first_line,
)

if TYPE_CHECKING:
    import sqlalchemy

KEY = "search.database"
FORMS = "sqlite:///FILE, postgresql://USER@HOST/NAME or mysql://USER@HOST/NAME"
WAY_OUT = f"correct {KEY}, or leave it out: the search is then in a file beside the output"
WAY_OUT_OF_FILE = f"name another file in {KEY}, or leave it out and choose another output="
WAIT_S = 60.0
"""For another process that writes into the same file [s]."""
CONNECT_S = 10
"""For a server to answer [s]."""
_OPTIONS = {
    "sqlite": {"timeout": WAIT_S},
    "postgresql": {"connect_timeout": CONNECT_S},
    "mysql": {"connect_timeout": CONNECT_S},
    "mariadb": {"connect_timeout": CONNECT_S},
}
_DRIVERS = {
    "postgresql": (("psycopg2", ""), ("psycopg", "+psycopg")),
    "mysql": (("MySQLdb", ""), ("pymysql", "+pymysql")),
    "mariadb": (("MySQLdb", ""), ("pymysql", "+pymysql")),
}
"""Python packages for a database, and what names them in an address; the first is SQLAlchemy's."""
_SAID = {
    "unable to open database file": "the file cannot be opened; is its folder there?",
    "readonly database": "the file may not be written",
    "database is locked": f"another process has kept it locked for {WAIT_S:g} s",
    "database or disk is full": "the disk is full",
    "Connection refused": "no server answers at this address",
    "permission denied": "the user may not do that in this database",
    "read-only transaction": "the user may only read there",
    "command denied to user": "the user may not do that in this database",
    "--read-only option": "the user may only read there",
}
"""What drivers say, in words, the first that fits; whatever else they say is passed on."""
_NO_HOST = "there is no host of this name"
_NO_DATABASE = "there is no database of this name"
_REFUSED = "the server refuses the user or the password"
_SAID_OF_ADDRESS = {
    "could not translate host name": _NO_HOST,
    "failed to resolve host": _NO_HOST,
    "Name or service not known": _NO_HOST,
    "password authentication failed": _REFUSED,
    "no password supplied": "the server asks for a password",
    'FATAL:  database "': _NO_DATABASE,
    "' to database '": "the user may not use a database of this name, if there is one",
    "Access denied for user": _REFUSED,
    "Unknown database": _NO_DATABASE,
}
"""Likewise, where the address is wrong."""
_DAMAGED = "the file is damaged"
_OF_ANOTHER_VERSION = "its tables are of another version of l1distill"
_SAID_OF_CONTENT = {
    "file is not a database": "the file is no database of SQLite",
    "disk image is malformed": _DAMAGED,
    "no such column": _OF_ANOTHER_VERSION,
    "has no column": _OF_ANOTHER_VERSION,
    "Unknown column": _OF_ANOTHER_VERSION,
}
"""Likewise, where the database is there and what it holds is no search."""


def url_of(path: Path) -> str:
    """Return the address of a database in a file."""
    return f"sqlite:///{path.absolute()}"


def connect(
    url: str, *, makes_tables: bool = True
) -> "tuple[sqlalchemy.Engine, dict[str, sqlalchemy.Table]]":
    """Connect to a database.

    Args:
        url: its address.
        makes_tables: whether the tables of searches are made where there are none.

    Raises:
        ConfigError: it is no address of a database, names one that is not there, or there is no
            driver for it.
        DataError: what it holds is no search of this version.
        ResourceError: the database is out of reach, or cannot be used.
    """
    import sqlalchemy as sa

    shown = hide_credentials(url)
    try:
        address = sa.engine.make_url(url)
        if address.drivername.startswith("sqlite") and address.database in (None, "", ":memory:"):
            raise ConfigError(f"{KEY}={shown}: names no file, and workers share one; give {FORMS}")
        if not address.database:
            raise ConfigError(f"{KEY}={shown}: names no database of the server; give {FORMS}")
        driver = _with_driver(address)
        options = _OPTIONS.get(driver.drivername.partition("+")[0], {})
        engine = sa.create_engine(driver, connect_args=options)
    except sa.exc.NoSuchModuleError as error:
        kind = shown.partition(":")[0]
        raise ConfigError(f"{KEY}={shown}: {kind} is no kind of database; give {FORMS}") from error
    except (sa.exc.ArgumentError, ValueError) as error:
        raise ConfigError(f"{KEY}={shown}: is no address of a database; give {FORMS}") from error
    except ImportError as error:
        package = error.name or "a driver"
        raise ConfigError(
            f"{KEY}={shown}: needs the Python package {package}; install it: for PostgreSQL "
            "pip install 'l1distill[postgresql]', for MySQL and MariaDB 'l1distill[mysql]'"
        ) from error
    tables = _tables(sa)
    with database_errors(url):
        if engine.dialect.name == "sqlite":
            _refuse_another_program(url, sa.inspect(engine).get_table_names(), tables)
        if makes_tables:
            tables["searches"].metadata.create_all(engine)
    return engine, tables


def _refuse_another_program(
    url: str, there: Sequence[str], tables: "Mapping[str, sqlalchemy.Table]"
) -> None:
    """Refuse a file of another program's tables; a database of a server may well be shared."""
    if there and not {table.name for table in tables.values()}.intersection(there):
        named = ", ".join(sorted(there)[:3])
        raise _unusable(url, f"the file is of another program (it has the tables {named})")


def damaged(url: str) -> DataError:
    """Return what to raise where a database holds something that was never written into it."""
    return _unusable(url, _DAMAGED)


def _unusable(url: str, reason: str) -> DataError:
    anew = "remove the file to begin anew, or " if reason == _DAMAGED else ""
    return DataError(f"{KEY}={hide_credentials(url)}: {reason}; {anew}{_way_out(url)}")


def _way_out(url: str) -> str:
    return WAY_OUT_OF_FILE if url.startswith("sqlite") else WAY_OUT


def _with_driver(address: "sqlalchemy.URL") -> "sqlalchemy.URL":
    """Return an address with the driver that is installed, where it names none."""
    for package, suffix in _DRIVERS.get(address.drivername, ()):
        if importlib.util.find_spec(package) is not None:
            return address.set(drivername=address.drivername + suffix)
    return address


@contextmanager
def database_errors(url: str) -> Iterator[None]:
    """Turn what a driver says into one line that names the key and the way out.

    That a row is there already is left as it is: it tells that another worker was first.

    Raises:
        ConfigError: the address names a host, user or database that is not there.
        DataError: it is damaged, or is no database of a search of this version.
        ResourceError: it is out of reach, full, locked or refuses.
    """
    import sqlalchemy as sa

    try:
        yield
    except (L1DistillError, sa.exc.IntegrityError):
        raise
    except json.JSONDecodeError as error:
        raise damaged(url) from error
    except sa.exc.DBAPIError as error:
        said = hide_credentials(str(error.orig))
        if content := _first(_SAID_OF_CONTENT, said):
            raise _unusable(url, content) from error
        if address := _first(_SAID_OF_ADDRESS, said):
            raise ConfigError(f"{KEY}={hide_credentials(url)}: {address}; {WAY_OUT}") from error
        reason = _first(_SAID, said) or first_line(Exception(said))
        raise ResourceError(f"{KEY}={hide_credentials(url)}: {reason}; {_way_out(url)}") from error


def _first(texts: Mapping[str, str], said: str) -> str | None:
    return next((text for part, text in texts.items() if part in said), None)


def _tables(sa: Any) -> "dict[str, sqlalchemy.Table]":
    metadata = sa.MetaData()
    name, number = sa.String(200), sa.Integer()

    def column(key: str, kind: Any, primary: bool = False) -> Any:
        return sa.Column(key, kind, primary_key=primary, autoincrement=False, nullable=False)

    def table(key: str, *columns: Any) -> Any:
        return sa.Table(f"search_{key}", metadata, column("search", name, True), *columns)

    step = ("phase", "generation", "rung", "place")
    content = sa.LargeBinary(2**24)
    return {
        "searches": table("searches", column("settings", sa.JSON())),
        "candidates": table(
            "candidates",
            column("number", number, True),
            *(column(key, number) for key in ("phase", "generation")),
            *(column(key, sa.JSON()) for key in ("values", "distributions", "attributes")),
        ),
        "tasks": table(
            "tasks",
            *(column(key, number, True) for key in step),
            *(column(key, sa.JSON()) for key in ("hidden", "members")),
            column("done", sa.Boolean()),
            column("cpu_s", sa.Float(53)),
            column("owner", name),
            column("seen", sa.Float(53)),
        ),
        "outcomes": table(
            "outcomes",
            *(column(key, number, True) for key in ("number", "rung")),
            column("epochs", number),
            sa.Column("loss", sa.Float(53)),
            *(column(key, sa.JSON()) for key in ("costs", "metrics")),
            column("snapshot", content),
        ),
        "finalists": table(
            "finalists",
            column("identity", sa.String(64), True),
            column("row", sa.JSON()),
            column("network", content),
        ),
    }
