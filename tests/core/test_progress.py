import re

import pytest

from l1distill.core import progress as module
from l1distill.core.progress import progress


def test_a_log_shows_rate_and_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOG_EVERY_S", 0.0)
    with progress("generate", 10, "events") as advance:
        advance(4)
        advance(6)
    lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"generate: 4/10 events, [\d.,]+ events/s, \d+ s left", lines[0])
    assert re.fullmatch(r"generate: 10 events in [\d.]+ s \([\d.,]+ events/s\)", lines[1])
