import re

import pytest

from l1distill.core import progress as module
from l1distill.core.progress import TimeLeft, format_duration, progress


class Clock:
    """Time that passes only when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def test_a_log_has_a_line_every_ten_seconds_and_one_at_the_end(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    with progress("generate", 40, "events") as advance:
        for _ in range(40):
            clock.now += 1.0
            advance(1)
    assert capsys.readouterr().err.splitlines() == [
        "generate: 10/40 events, 1.0 events/s, 30 s left",
        "generate: 20/40 events, 1.0 events/s, 20 s left",
        "generate: 30/40 events, 1.0 events/s, 10 s left",
        "generate: 40 events in 40.0 s (1.0 events/s)",
    ]


def test_the_rate_beside_the_time_left_is_the_one_behind_it(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    """Also when the machine has become slower."""
    with progress("generate", 400, "events") as advance:
        for number in range(400):
            clock.now += 1.0 if number < 200 else 4.0
            advance(1)
    *lines, last = capsys.readouterr().err.splitlines()
    told = [re.search(r": (\d+)/400 .* ([\d.]+) events/s, (.*) left", line) for line in lines]
    parts = [match.groups() for match in told if match]
    assert len(parts) == len(lines)
    for done, rate, left in parts:
        seconds = (400 - int(done)) / float(rate)
        assert left == format_duration(seconds) or 0.9 < seconds / seconds_of(left) < 1.1
    assert {parts[5][1], parts[-1][1]} == {"1.0", "0.25"}
    assert last == "generate: 400 events in 1000.0 s (0.4 events/s)"


def seconds_of(text: str) -> float:
    numbers = [float(word) for word in text.split()[::2]]
    return 60 * numbers[0] + numbers[1] if len(numbers) == 2 else numbers[0]


def test_nothing_is_said_of_the_time_left_before_there_is_an_estimate(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    with progress("generate", 4, "events") as advance:
        clock.now += 60.0  # preparation, and the first event
        advance(1)
        clock.now += 30.0
        advance(1)
        clock.now += 30.0
        advance(1)
    assert capsys.readouterr().err.splitlines()[:-1] == [
        "generate: 1/4 events, 0.017 events/s",
        "generate: 2/4 events, 0.033 events/s, 60 s left",
        "generate: 3/4 events, 0.033 events/s, 30 s left",
    ]


def test_what_an_earlier_run_did_is_in_no_rate(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    """A hundred of 160 are there; another takes 4 s, by the earlier run's account 5 s."""
    with progress("search", 160, "candidates", weight_per_s=0.2) as advance:
        advance(100, earlier=True)
        clock.now += 10.0
        advance(0)  # start-up: nothing is done yet
        for _ in range(15):
            clock.now += 16.0
            advance(4)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "search: 100/160 candidates, 5 min 00 s left"
    assert lines[1] == "search: 104/160 candidates, 0.25 candidates/s, 3 min 44 s left"
    assert lines[-2] == "search: 156/160 candidates, 0.25 candidates/s, 16 s left"
    assert lines[-1] == (
        "search: 160 candidates: 100 by an earlier run, 60 in 250.0 s (0.24 candidates/s)"
    )


def test_a_log_tells_no_rate_before_anything_is_done(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    with progress("generate", 40, "events", total_weight=60.0) as advance:
        for second in range(60):  # 20 s of preparation
            clock.now += 1.0
            advance(int(second >= 20), 1.0)
    assert capsys.readouterr().err.splitlines()[:3] == [
        "generate: 0/40 events, 50 s left",
        "generate: 0/40 events, 40 s left",
        "generate: 10/40 events, 0.34 events/s, 30 s left",
    ]


def test_the_work_of_the_whole_may_be_told_anew() -> None:
    left = TimeLeft(total_weight=100.0, start=0.0)
    for second in range(1, 11):
        left.report(2.0, second)
    assert left.at(10.0) == pytest.approx(40.0)
    left.report(2.0, 11.0, total_weight=222.0)  # what is left takes longer than it seemed
    assert left.at(11.0) == pytest.approx(100.0)
    left.report(50.0, 11.0, earlier=True)
    left.report(2.0, 12.0, total_weight=224.0)
    assert left.at(12.0) == pytest.approx(75.0)
    left.report(2.0, 13.0, left_s=60.0)  # by whoever knows better
    assert left.at(14.0) == pytest.approx(59.0)


def test_units_of_unequal_work_do_not_mislead(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    """A hundred quick units of 0.1 s, then ten slow ones of 9 s: 100 s in all."""
    with progress("generate", 110, "events", total_weight=100.0) as advance:
        for _ in range(100):
            clock.now += 0.1
            advance(1, 0.1)
        for _ in range(5):
            clock.now += 9.0
            advance(1, 9.0)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("generate: 100/110 events, 10.0 events/s, 90 s left")
    assert lines[-2].startswith("generate: 104/110") or lines[-2].endswith(" 45 s left")


def test_work_that_finishes_no_unit_counts_for_the_time_left() -> None:
    left = TimeLeft(total_weight=100.0, start=0.0)
    for second in range(1, 51):  # preparation
        left.report(1.0, second)
    assert left.at(50.0) == pytest.approx(50.0)


def test_the_time_left_follows_a_change_of_the_rate() -> None:
    """Another program takes half of the machine in the middle."""
    left = TimeLeft(total_weight=1000.0, start=0.0)
    now = 0.0
    for _ in range(200):
        now += 1.0
        left.report(1.0, now)
    assert left.at(now) == pytest.approx(800.0)
    for _ in range(40):  # longer than the window
        now += 2.0
        left.report(1.0, now)
    assert left.at(now) == pytest.approx(1520.0)


@pytest.mark.parametrize("workers", [2, 50])
def test_bursts_of_workers_that_began_together_are_no_rate(workers: int) -> None:
    """Each worker takes 20 s for a unit; from the first to the last burst it is 202 s."""
    left = TimeLeft(total_weight=10.0 * workers, start=0.0)
    estimates = []
    for turn in range(1, 10):
        for worker in range(workers):
            now = 20.0 * turn + 4.0 * worker / workers
            left.report(1.0, now)
            estimate = left.at(now)
            if estimate is not None:
                estimates.append((now + estimate) / 202.0)
    assert len(estimates) >= 7 * workers
    assert 0.65 < min(estimates) < max(estimates) < 1.35


def test_the_time_left_counts_down_between_reports_and_never_below_zero() -> None:
    left = TimeLeft(total_weight=10.0, start=0.0)
    for second in range(1, 6):
        left.report(1.0, second)
    assert left.at(5.0) == pytest.approx(5.0)
    assert left.at(8.0) == pytest.approx(2.0)
    assert left.at(99.0) == 0.0


def test_a_terminal_gets_a_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    with progress("generate", 10, "events") as advance:
        advance(4)
        advance(6)
    bar = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", capsys.readouterr().err)
    assert re.search(r"generate .* 10/10 [\d.,]+ events/s", bar)
    assert "left" not in bar


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (119.4, "119 s"),
        (119.6, "2 min 00 s"),
        (3600.0, "60 min 00 s"),
        (7500.0, "2 h 05 min"),
    ],
)
def test_durations_are_written_as_people_do(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
