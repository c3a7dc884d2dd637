"""The database of a search: who takes a task, and what is refused in one line."""

import re
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy.exc

from l1distill.core.errors import ConfigError, L1DistillError
from l1distill.search import signs_of_life
from l1distill.search.database import database_errors, url_of
from l1distill.search.identity import DATA
from l1distill.search.plan import Course
from l1distill.search.records import Outcome
from l1distill.search.store import Store
from tests.search.searches import claim_at_once, plan_of
from tests.servers import free_port


def test_a_task_is_claimed_once_and_a_lost_claim_is_taken_over(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(rungs=[])
    decision = Course(plan, store).next()
    assert store.add(decision)
    assert not store.add(decision), "another worker decided the same"
    first, second, *_ = decision.tasks
    assert store.claim(first, "elsewhere:1:a")
    assert not store.claim(first, "elsewhere:2:b")
    assert store.claim(second, f"{socket.gethostname()}:999999999:c")
    assert store.claim(second, "elsewhere:2:b"), "its process is gone"
    assert not store.finish(second, "elsewhere:3:c", []), "not its own"
    monkeypatch.setattr(signs_of_life, "LOST_S", 1e-9)
    assert store.claim(first, "elsewhere:3:c"), "no sign of life"
    assert not store.finish(first, "elsewhere:1:a", []), "it has gone to another"
    outcome = Outcome(number=0, rung=0, epochs=1, loss=1.0)
    assert store.finish(first, "elsewhere:3:c", [outcome])
    assert not store.claim(first, "elsewhere:1:a"), "done"
    assert store.outcomes() == [outcome]


def test_workers_that_claim_at_once_never_get_the_same(store: Store) -> None:
    claim_at_once([store] * 4)


def test_a_search_of_something_else_is_refused_and_what_differs_is_named(store: Store) -> None:
    same = {"strategy": "co", "search.space.nodes": [4, 8], DATA: "a"}
    other = Store(store.url, "other")
    other.open(same)
    other.check({**same, "search.space.nodes": (4, 8)})  # as JSON has it
    more = {"search.candidates": 16}  # which the other strategy alone has
    with pytest.raises(ConfigError) as refused:
        other.check({**same, **more, "strategy": "post", DATA: "b"})
    other.close()
    assert str(refused.value) == (
        "search.name=other: a search of this name was begun with another data set in data.folder, "
        'strategy="co" (now "post"); take this to continue it, or another search.name'
    )


@pytest.mark.parametrize(
    ("url", "said", "status"),
    [
        ("nonsense", "is no address of a database; give sqlite:///FILE", 2),
        ("postgresql://u:s3cret@h:port/n", "is no address of a database; give sqlite:///FILE", 2),
        ("postgres://u:s3cret@h/n", "postgres is no kind of database; give sqlite:///FILE", 2),
        ("oracle://u:s3cret@h/n", "needs the Python package .*; install it", 2),
        ("mysql+mysqldb://u:s3cret@h/n", "needs .* package MySQLdb; .*'l1distill.mysql.'", 2),
        ("mysql://u:s3cret@h", "names no database of the server; give sqlite:///FILE", 2),
        ("sqlite://", "names no file, and workers share one", 2),
        (
            "sqlite:////no/such/folder/x.db",
            "cannot be opened; is its folder there.*another file",
            1,
        ),
        (
            "postgresql://u:s3cret@127.0.0.1:{port}/n",
            "no server answers .*; correct search.data",
            1,
        ),
        ("sqlite:///{text}", "the file is no database of SQLite; name another file", 2),
        ("sqlite:///{old}", "its tables are of another version of l1distill; name another", 2),
        ("sqlite:///{cut}", "the file is damaged; remove the file to begin anew, or name", 2),
        ("sqlite:///{garbled}", "the file is damaged; remove the file to begin anew", 2),
        ("sqlite:///{list}", "the file is damaged; remove the file to begin anew", 2),
        ("sqlite:///{other}", r"of another program \(it has the tables runs\); name another", 2),
    ],
)
def test_a_database_that_cannot_be_used_is_said_in_one_line(
    url: str, said: str, status: int, tmp_path: Path
) -> None:
    (tmp_path / "text").write_text("neither a database nor empty " * 100)
    with closing(sqlite3.connect(tmp_path / "old")) as old:
        old.execute("CREATE TABLE search_searches (search TEXT, fingerprint TEXT)")
    with closing(sqlite3.connect(tmp_path / "other")) as other:
        other.execute("CREATE TABLE runs (name TEXT)")
    for name, settings in {"cut": "{}", "garbled": "{oops", "list": "[1]"}.items():
        Store(url_of(tmp_path / name), "name").open({})
        with closing(sqlite3.connect(tmp_path / name)) as written:
            written.execute("UPDATE search_searches SET settings = ?", (settings,))
            written.commit()
    cut = (tmp_path / "cut").read_bytes()
    (tmp_path / "cut").write_bytes(cut[: len(cut) // 2])
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    names = {"port": free_port(), **{path.name: path for path in before}}
    with pytest.raises(L1DistillError) as refused:
        Store(url.format(**names), "name").open({})
    line = str(refused.value)
    assert line.startswith("search.database=")
    assert re.search(said, line)
    assert "\n" not in line
    assert not re.search(r"s3cret|sqlalche|sqlite3|psycopg\.|Background on this error", line)
    assert refused.value.exit_status == status
    assert before[tmp_path / "other"] == (tmp_path / "other").read_bytes()


@pytest.mark.parametrize(
    ("said", "words", "status"),
    [
        ("(1049, \"Unknown database 'n'\")", "there is no database of this name", 2),
        ("(1054, \"Unknown column 'search_tasks.cpu' in 'field list'\")", "of another version", 2),
        ("(1142, \"INSERT command denied to user 'u'@'h'\")", "may not do that", 1),
    ],
)
def test_what_mysql_says_is_said_in_words(said: str, words: str, status: int) -> None:
    """As MariaDB 10.11 has it, of users with other rights and tables of another version."""
    with (
        pytest.raises(
            L1DistillError, match=rf"^search.database=mysql://h/n: [^0-9]*{words}"
        ) as refused,
        database_errors("mysql://h/n"),
    ):
        raise sqlalchemy.exc.OperationalError("SELECT 1", {}, Exception(said))
    assert refused.value.exit_status == status
