"""Passwords in URIs, as people write them."""

import pytest

from l1distill.core.credentials import hide_credentials


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://alice:hush@host:5000/api failed", "http://alice:***@host:5000/api failed"),
        ("postgresql://alice:hu%2Fsh@host/db", "postgresql://alice:***@host/db"),
        ("postgresql+psycopg://a:h@u@sh@host/db", "postgresql+psycopg://a:***@host/db"),
        ("postgresql://alice:hu/sh@host/db", "postgresql://alice:***@host/db"),
        ("https://token-hush@host", "https://***@host"),
        ("http://:hush@host", "http://***@host"),
        ("db://h/d?user=a&password=hush&ssl=1", "db://h/d?user=a&password=***&ssl=1"),
        ("two http://a:hush@h and http://b:hush@h", "two http://a:***@h and http://b:***@h"),
        ("http://127.0.0.1:5000: gone", "http://127.0.0.1:5000: gone"),
        ("models:/l1distill@champion", "models:/l1distill@champion"),
        ("sqlite:////tmp/a@b/mlflow.db", "sqlite:////tmp/a@b/mlflow.db"),
        ("mail a@b, see http://h/x", "mail a@b, see http://h/x"),
    ],
)
def test_passwords_are_hidden_and_nothing_else(text: str, shown: str) -> None:
    assert hide_credentials(text) == shown
