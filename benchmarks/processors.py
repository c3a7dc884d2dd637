"""Whether trainings give the same bytes on another processor, and what that costs.

Run from the project's folder: ``python benchmarks/processors.py [--emulate] [events]``. A teacher
and a student are trained as the stages do: on this processor, on one core of it, where the
libraries are asked for other code, and with ``--emulate`` on a Haswell, which has no AVX512, by
qemu's user mode (7.2 or newer; minutes for the default number of events). The fastest epoch of
each is put beside that of libraries that choose for themselves.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from l1distill.core.processor import AVX2_PINS, PINS, pin_processor_features

EVENTS = 2500
BYTES = "38a26a1b5da2d98fadf8ce584e802f4c57d99f917432ee4b062c019d5c7d795e"
"""SHA-256 of the weights, losses and scores of :data:`EVENTS` events, on any processor with AVX2.
Another version of TensorFlow or NumPy may change it."""
COST_EVENTS = 20_000
ROUNDS = 3

ELSEWHERE = {
    "NPY_DISABLE_CPU_FEATURES": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "OPENBLAS_CORETYPE": "Nehalem",
    "OPENBLAS_NUM_THREADS": "2",
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "TF_NUM_INTEROP_THREADS": "2",
    "TF_NUM_INTRAOP_THREADS": "3",
}
"""What another processor, or the shell of a cluster, has the libraries do."""
HASWELL = ("qemu-x86_64", "-cpu", "Haswell")
WORKER = "--train"


class Trained(NamedTuple):
    """What a training says of itself: its bytes, and seconds of its fastest epochs."""

    bytes: str
    teacher: float
    student: float


def start(
    pinned: bool, environ: Mapping[str, str], command: Sequence[str] = (), events: int = EVENTS
) -> subprocess.Popen[str]:
    """Start a training in a process of its own, where nothing is pinned but on request."""
    pins = {*PINS, *AVX2_PINS, "XLA_FLAGS"}
    own = {name: value for name, value in os.environ.items() if name not in pins}
    words = [WORKER, "pinned" if pinned else "free", str(events)]
    return subprocess.Popen(
        [*command, sys.executable, __file__, *words],
        env={**own, "TF_CPP_MIN_LOG_LEVEL": "3", **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> Trained:
    """Wait for a training."""
    output, errors = process.communicate()
    if process.returncode:
        raise RuntimeError(errors[-2000:])
    name, teacher, student = output.split()[-3:]
    return Trained(name, float(teacher), float(student))


def fastest(rounds: Sequence[Trained]) -> Trained:
    """Return the fastest epochs of equal trainings, and their bytes if these are one."""
    (name,) = {trained.bytes for trained in rounds}
    return Trained(
        name,
        min(trained.teacher for trained in rounds),
        min(trained.student for trained in rounds),
    )


def train(events: int) -> Trained:
    """Train a convolutional VAE by XLA and a QKeras student by TensorFlow, on made-up events."""
    import hashlib

    import numpy as np

    from l1distill.models.mlp import StudentSettings, build_student
    from l1distill.tasks.anomaly.autoencoder import (
        anomaly_scores,
        autoencoder_loss,
        predict,
        unrolled,
    )
    from l1distill.tasks.anomaly.settings import AutoencoderSettings
    from l1distill.tasks.anomaly.standardization import Standardization
    from l1distill.tasks.anomaly.teachers import build_teacher
    from l1distill.training.determinism import make_deterministic
    from l1distill.training.fit import Fit, fit, supervised
    from l1distill.training.settings import TrainingSettings

    rng = np.random.default_rng(1)
    objects = (rng.integers(-512, 513, (events, 19, 3)) / 256).astype(np.float32)
    objects[..., 0] = np.abs(objects[..., 0]) * 32.0
    objects[rng.random((events, 19)) < 0.5] = 0.0
    held_out = events * 2 // 5
    constants = Standardization.fit(objects)
    make_deterministic(1)
    digest = hashlib.sha256()
    seconds: list[float] = []

    def fitted(what: Fit, *arrays: np.ndarray) -> None:
        ticks = [time.perf_counter()]
        history = fit(
            what,
            [array[held_out:] for array in arrays],
            [array[:held_out] for array in arrays],
            lambda *_: ticks.append(time.perf_counter()),
        )
        seconds.append(min(np.diff(ticks)[1:]))
        for array in (*what.model.get_weights(), np.array(history.validation_loss)):
            digest.update(np.ascontiguousarray(array).tobytes())

    settings = AutoencoderSettings(
        architecture="cnn_vae", widths=[8, 16], latent=4, beta=0.1, score="kl"
    )
    training = TrainingSettings(epochs=3, batch_size=125, learning_rate=0.01)  # no remainder
    teacher = build_teacher(settings)
    network = teacher.model()
    loss = autoencoder_loss(unrolled(teacher, training.batch_size), constants, settings.beta)
    fitted(Fit(model=network, loss=loss, settings=training, seed=1, xla=True), objects)
    scores = anomaly_scores(predict(network, objects), constants, objects)
    for score in scores.values():
        digest.update(score.tobytes())

    features = objects.reshape(events, -1)
    answers = np.log1p(np.abs(scores["kl"]))[:, None]
    digest.update(answers.tobytes())
    student = build_student(StudentSettings(), features.shape[1])
    loss = supervised(student, "mse")
    fitted(Fit(model=student, loss=loss, settings=training, seed=1), features, answers)
    digest.update(student.predict(features, batch_size=4096, verbose=0).tobytes())
    return Trained(digest.hexdigest(), *seconds)


def main() -> None:
    from recording import arguments, show
    from rich.table import Table

    words = arguments()
    emulate = "--emulate" in words
    sizes = [int(word) for word in words if word != "--emulate"]
    events = sizes[0] if sizes else COST_EVENTS
    one_core = ("taskset", "-c", str(min(os.sched_getaffinity(0))))
    # one after the other, and again: what else the machine does should meet both
    rounds = [
        [finish(start(pinned, {}, events=events)) for pinned in (False, True)]
        for _ in range(ROUNDS)
    ]
    rows = {
        "libraries choose": fastest([free for free, _ in rounds]),
        "pinned": fastest([pinned for _, pinned in rounds]),
        "pinned, on one core": finish(start(True, {}, one_core, events)),
        "pinned, other code asked for": finish(start(True, ELSEWHERE, events=events)),
    }
    if emulate:
        rows["pinned, emulated Haswell"] = finish(start(True, {}, HASWELL, events))
    table = Table("libraries", "teacher, s/epoch", "student, s/epoch", "SHA-256 of all it computes")
    for name, trained in rows.items():
        table.add_row(name, f"{trained.teacher:.3f}", f"{trained.student:.3f}", trained.bytes[:16])
    free, pinned = rows["libraries choose"], rows["pinned"]
    costs = (pinned.teacher / free.teacher, pinned.student / free.student)
    notes = [
        f"{events} events. Pinned takes {costs[0]:.2f} times as long for the teacher, "
        f"{costs[1]:.2f} for the student.",
        "target: one SHA-256 for all that are pinned, and at most 1.2 times as long.",
    ]
    show("processors", table, notes)


if __name__ == "__main__":
    if sys.argv[1:2] == [WORKER]:
        if sys.argv[2] == "pinned":
            pin_processor_features(os.environ)
        print(*train(int(sys.argv[3])))
    else:
        main()
