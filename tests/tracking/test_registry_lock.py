"""The lock of a registered model: one holder, and a way past a dead one."""

import threading
import time

import pytest

from l1distill.core.errors import ResourceError
from l1distill.tracking.registry_lock import registry_lock
from l1distill.tracking.store import Store


def _models(store: Store) -> set[str]:
    return {model.name for model in store.client.search_registered_models()}


def test_one_holds_it_and_the_other_waits(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    order = []

    def second() -> None:
        with registry_lock(store.client, "m"):
            order.append("second")

    with registry_lock(store.client, "m") as hold:
        hold.check(store.client)
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.5)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert "waiting for" in capsys.readouterr().err
    assert _models(store) == set()


def test_who_fails_lets_go(store: Store) -> None:
    with pytest.raises(RuntimeError), registry_lock(store.client, "m"):
        raise RuntimeError
    assert _models(store) == set()


def test_a_lock_that_is_held_for_too_long_is_an_error(store: Store) -> None:
    with registry_lock(store.client, "m"):
        with (
            pytest.raises(ResourceError, match=r"m\.lock: .* process \d+ holds the lock"),
            registry_lock(store.client, "m", patience_s=0.3),
        ):
            pytest.fail("it was held")
        assert _models(store) == {"m.lock"}


def test_a_lock_that_a_dead_process_left_is_taken_by_one(store: Store) -> None:
    store.client.create_registered_model("m.lock", tags={"token": "dead", "owner": "nobody"})
    holders = []

    def take() -> None:
        with registry_lock(store.client, "m", lease_s=0.5, patience_s=30):
            holders.append(1)
            assert len(holders) == 1
            time.sleep(0.1)
            holders.pop()
        done.append(1)

    done: list[int] = []
    threads = [threading.Thread(target=take) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 3
    assert _models(store) == set()


def test_who_was_away_for_too_long_moves_nothing(store: Store) -> None:
    with registry_lock(store.client, "m", lease_s=0.2) as hold:
        time.sleep(0.15)
        with pytest.raises(ResourceError, match="nothing was moved"):
            hold.check(store.client)
    with registry_lock(store.client, "m") as hold:
        store.client.delete_registered_model("m.lock")
        store.client.create_registered_model("m.lock", tags={"token": "another"})
        with pytest.raises(ResourceError, match="nothing was moved"):
            hold.check(store.client)
    assert _models(store) == {"m.lock"}, "the other's lock is left alone"
