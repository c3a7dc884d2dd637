"""Scores behind networks, against their definitions, through every back end."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from l1distill.core.errors import ConfigError
from l1distill.firmware.cost import estimate
from l1distill.firmware.emulator import cpp as cpp_emulator
from l1distill.firmware.functions.score_head import with_score
from l1distill.firmware.hls import project as hls
from l1distill.firmware.network.builder import Builder
from l1distill.firmware.network.fixed_point import FixedPoint, grid_of
from l1distill.firmware.network.layers import Affine, Dense, Layer, Quantize
from l1distill.firmware.network.network import Network, connect, evaluate, extend
from l1distill.firmware.network.serialization import load, save
from l1distill.firmware.process import TimeLimit
from l1distill.firmware.rtl.verilog import trace_network, write_rtl
from l1distill.firmware.settings import FirmwareSettings, ScoreSettings
from l1distill.firmware.verification.adversarial import adversarial_events
from l1distill.firmware.verification.first_difference import first_in_hls
from l1distill.firmware.verification.reference import choose_events
from tests.firmware.emulators import library, simulated
from tests.firmware.networks import chain as qkeras_chain
from tests.firmware.networks import dense, full_range, grid, outputs, relu
from tests.firmware.students import HARDWARE

BOUNDS = TimeLimit(300.0, "firmware.limit")
WEIGHTS = FixedPoint(signed=True, integer=0, fraction=4)
LATENT = 3
ENDS = FixedPoint(signed=True, integer=3, fraction=3)


def encoder(outputs: int = 2 * LATENT, ends: FixedPoint | None = ENDS, inputs: int = 5) -> Network:
    """Means, then log-variances; ends in sums that nothing rounds where ``ends`` is None."""
    rng = np.random.default_rng(11)

    def dense(name: str, n_in: int, n_out: int) -> Dense:
        kernel, bias = (WEIGHTS.quantize(rng.normal(0, 0.6, s)) for s in ((n_in, n_out), n_out))
        return Dense(name, kernel=kernel, bias=bias, kernel_type=WEIGHTS, bias_type=WEIGHTS)

    hidden = FixedPoint(signed=False, integer=3, fraction=2)
    layers: list[Layer] = [dense("hidden", inputs, 4), Quantize("relu", type=hidden)]
    layers.append(dense("latent", 4, outputs))
    if ends is not None:
        layers.append(Quantize("ends", type=ends))
    return connect(
        inputs, FixedPoint(signed=True, integer=3, fraction=2), layers, (1, 0, -2, 0, 3)[:inputs]
    )


def scored(network: Network, **settings: Any) -> Network:
    return with_score(network, ScoreSettings(**settings)).network


def events(network: Network) -> NDArray[np.float64]:
    return np.concatenate([full_range(network, 300), adversarial_events(network, 200, 1).x])


def sum_mu2(network: Network, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The definition, of what the encoder says."""
    return np.einsum("ij,ij->i", *[evaluate(network, x)[:, :LATENT]] * 2)


SETTINGS = [
    {"kind": "sum_mu2"},
    {"kind": "sum_mu2", "bits": 7},
    {"kind": "sum_mu2", "threshold": 3.3},
    {"kind": "sum_mu2", "bits": 8, "threshold": 3.3},
]
ACCEPT = {"kind": "sum_mu2", "accept": 3.3}

KL = {"kind": "kl", "pieces": 12, "bits": 14, "threshold": 6.0}
RZ = {"kind": "rz", "pieces": 12, "bits": 14}
EVERYWHERE = {"score": SETTINGS[0], "bit": SETTINGS[3], "kl": KL, "rz": RZ, "accept": ACCEPT}


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize(
    "ends", [ENDS, FixedPoint(signed=True, integer=4, fraction=-1), None], ids=str
)
def test_the_score_is_its_definition(
    settings: dict[str, Any], ends: FixedPoint | None, tmp_path: Path
) -> None:
    plain = encoder(ends=ends)
    network = scored(plain, **settings)
    x = events(network)
    score = sum_mu2(plain, x)
    output_type = network.output_type
    if "bits" in settings and "threshold" not in settings:
        assert output_type.bits <= settings["bits"]
        score = np.clip(np.rint(score / output_type.step) * output_type.step, 0, output_type.high)
    elif "threshold" in settings:
        if "bits" in settings:
            score = evaluate(scored(plain, kind="sum_mu2", bits=settings["bits"]), x)[:, 0]
        score = (score >= settings["threshold"]).astype(float)
        assert output_type.bits == 1
        assert 0.02 < score.mean() < 0.98
    result = evaluate(network, x)
    assert np.array_equal(result[:, 0], score)
    assert result.shape == (len(x), 1)
    assert np.array_equal(trace_network(network).predict(x), result)
    save(network, tmp_path / "network.json")
    assert np.array_equal(evaluate(load(tmp_path / "network.json"), x), result)


@pytest.mark.parametrize(
    "settings",
    [SETTINGS[0], SETTINGS[3], KL, RZ, ACCEPT],
    ids=["score", "bit", "kl", "rz", "accept"],
)
def test_every_back_end_computes_it(settings: dict[str, Any], tmp_path: Path) -> None:
    network = scored(encoder(), **settings)
    x = events(network)
    y = evaluate(network, x)
    emulator = trace_network(network)
    built = library(emulator, tmp_path / "cpp")
    assert np.array_equal(cpp_emulator.predict(built, x), y)
    hls.write_hls_project(network, HARDWARE, tmp_path / "hls")
    assert np.array_equal(hls.simulate_hls(tmp_path / "hls", x, network, BOUNDS), y)


@pytest.mark.needs_program("iverilog")
@pytest.mark.parametrize(
    "settings",
    [SETTINGS[0], SETTINGS[3], KL, RZ, ACCEPT],
    ids=["score", "bit", "kl", "rz", "accept"],
)
def test_the_verilog_computes_it(settings: dict[str, Any], tmp_path: Path) -> None:
    network = scored(encoder(), **settings)
    x = events(network)
    figures = write_rtl(trace_network(network), HARDWARE, 3.0, tmp_path / "rtl")
    assert figures.output_port.bits <= network.outputs * network.output_type.bits
    assert np.array_equal(simulated(network, x, tmp_path), evaluate(network, x))


def test_the_threshold_itself_passes_and_what_is_just_below_does_not() -> None:
    plain = encoder()
    x = events(plain)
    values = np.unique(sum_mu2(plain, x))
    for threshold in values[[1, len(values) // 2, -1]]:
        passed = evaluate(scored(plain, kind="sum_mu2", threshold=threshold), x)[:, 0] == 1
        assert passed.any()
        assert sum_mu2(plain, x)[passed].min() == threshold
        above = np.nextafter(threshold, np.inf)
        if threshold < values[-1]:
            fewer = evaluate(scored(plain, kind="sum_mu2", threshold=above), x)[:, 0] == 1
            assert sum_mu2(plain, x)[fewer].min() > threshold


@pytest.mark.parametrize(
    "ends",
    [
        ENDS,
        FixedPoint(signed=True, integer=4, fraction=-1),
        FixedPoint(signed=True, integer=2, fraction=8),
    ],
    ids=str,
)
@pytest.mark.parametrize("pieces", [8, 16, 64])
def test_the_divergence_is_as_near_its_definition_as_is_said(ends: FixedPoint, pieces: int) -> None:
    plain = encoder(ends=ends)
    x = events(plain)
    latent = evaluate(plain, x)
    assert np.unique(latent[:, LATENT:]).size >= 10
    mean, log_variance = latent[:, :LATENT], latent[:, LATENT:]
    expected = 0.5 * (mean**2 + np.exp(log_variance) - log_variance - 1).sum(axis=1)
    network, words = with_score(plain, ScoreSettings(kind="kl", pieces=pieces))
    assert words is not None
    stated = [
        float(number) for number in re.findall(r"at most (.*)% of itself and (\S+) ", words)[0]
    ]
    off = np.abs(evaluate(network, x)[:, 0] - expected)
    assert (off <= 1.05 * (stated[0] / 100 * expected + stated[1])).all()  # said in two digits
    assert stated[0] < {8: 60, 16: 16, 64: 1}[pieces]
    assert np.array_equal(trace_network(network).predict(x), evaluate(network, x))
    narrow = scored(plain, kind="kl", pieces=pieces, bits=16)
    assert narrow.output_type.bits == 16
    exact = evaluate(network, x)
    half = narrow.output_type.step / 2
    assert (np.abs(np.minimum(exact, narrow.output_type.high) - evaluate(narrow, x)) <= half).all()


@pytest.mark.parametrize("kind", ["kl", "rz"])
def test_log_variances_that_are_too_wide_are_rounded(kind: str) -> None:
    wider = np.full(6, 2.25)
    scale = Affine(
        "wider",
        scale=wider,
        offset=np.zeros(6),
        scale_type=grid_of(wider),
        offset_type=grid_of(np.zeros(6)),
    )
    plain = extend(
        encoder(ends=None),
        [scale, Quantize("ends", type=FixedPoint(signed=True, integer=5, fraction=9))],
    )
    x = events(plain)
    network, words = with_score(plain, ScoreSettings(kind=kind, pieces=48))  # type: ignore[arg-type]
    assert words is not None
    assert "of log-variances as fixed<11,5," in words
    latent = evaluate(plain, x)
    rounded = FixedPoint(signed=True, integer=4, fraction=6).quantize(latent[:, LATENT:])
    assert (rounded != latent[:, LATENT:]).any()
    squares = (latent[:, :LATENT] ** 2).sum(axis=1)
    if kind == "kl":
        expected = 0.5 * (squares + (np.exp(rounded) - rounded - 1).sum(axis=1))
    else:
        expected = (latent[:, :LATENT] ** 2 * np.exp(-rounded)).sum(axis=1)
    top = network.output_type.high
    off = np.abs(evaluate(network, x)[:, 0] - np.minimum(expected, top))
    numbers = [
        float(number) for number in re.findall(r"at most (\S+)% of itself and (\S+)", words)[0]
    ]
    allowed = numbers[0] / 100 * expected + numbers[1] * (squares if kind == "rz" else 1)
    assert (off <= 1.05 * allowed + network.output_type.step).all()
    assert numbers[0] < {"kl": 4, "rz": 10}[kind]
    with pytest.raises(ConfigError, match=r"score\.latent=4 takes 8 numbers, the network gives 6"):
        scored(encoder(), kind=kind, latent=4)


@pytest.mark.parametrize("ends", [ENDS, FixedPoint(signed=True, integer=2, fraction=8)], ids=str)
@pytest.mark.parametrize("pieces", [16, 64])
def test_r_z_is_as_near_its_definition_as_is_said(ends: FixedPoint, pieces: int) -> None:
    plain = encoder(ends=ends)
    x = events(plain)
    latent = evaluate(plain, x)
    expected = (latent[:, :LATENT] ** 2 * np.exp(-latent[:, LATENT:])).sum(axis=1)
    network, words = with_score(plain, ScoreSettings(kind="rz", pieces=pieces))
    assert words is not None
    stated = [float(number) for number in re.findall(r"most (.*)% of itself and (\S+)$", words)[0]]
    squares = (latent[:, :LATENT] ** 2).sum(axis=1)
    off = np.abs(evaluate(network, x)[:, 0] - expected)
    allowed = stated[0] / 100 * expected + stated[1] * squares
    assert (off <= 1.05 * allowed + network.output_type.step / 2).all()
    assert stated[0] < {16: 16, 64: 1}[pieces]
    assert np.array_equal(trace_network(network).predict(x), evaluate(network, x))


def autoencoder(inputs: int, exponents: tuple[int, ...] = ()) -> Network:
    """A hidden layer and as many numbers as go in."""
    plain = encoder(inputs=inputs, outputs=inputs)
    return replace(plain, input_exponents=exponents) if exponents else plain


def test_the_mean_square_error_of_any_autoencoder_is_its_definition() -> None:
    plain = autoencoder(4, (0, 2, -1, 3))
    x = events(plain)
    network, words = with_score(plain, ScoreSettings(kind="mse"))
    assert words == "mean square of outputs less inputs, and 0 of it"
    taken = plain.to_port_values(x) * plain.input_units
    expected = np.mean((evaluate(plain, x) - taken) ** 2, axis=1)
    assert np.array_equal(evaluate(network, x)[:, 0], expected)
    assert np.array_equal(trace_network(network).predict(x), expected[:, None])


def test_a_task_may_have_an_error_of_its_own() -> None:
    plain = autoencoder(4, (0, 2, -1, 3))
    given: list[Any] = []

    def largest_output(builder: Builder, units: NDArray[np.float64], pieces: int | None) -> str:
        given.append((builder.value_ranges[builder.last].shape, units.tolist(), pieces))
        builder.add(Dense.exact("first", np.eye(4)[:, :1]))
        return "the first output"

    network, output = with_score(plain, ScoreSettings(kind="mse", pieces=7), largest_output)
    assert given == [((4,), [1.0, 4.0, 0.5, 8.0], 7)]
    assert output == "the first output"
    x = events(plain)
    positive = network.output_type.quantize(np.maximum(evaluate(plain, x)[:, :1], 0))
    assert np.array_equal(evaluate(network, x), positive)


def test_a_sole_output_is_held_against_a_threshold() -> None:
    plain = encoder(outputs=1)
    x = events(plain)
    network, words = with_score(plain, ScoreSettings(threshold=-2.8))
    passed = evaluate(network, x)
    assert np.array_equal(passed, evaluate(plain, x) >= -2.8)
    assert np.array_equal(trace_network(network).predict(x), passed)
    assert 0 < passed.mean() < 1
    assert words == "1 where output is at least -2.8, else 0"


def test_the_first_outputs_are_the_means() -> None:
    plain = encoder(outputs=5)
    x = events(plain)
    result = evaluate(scored(plain, kind="sum_mu2", latent=LATENT), x)[:, 0]
    assert np.array_equal(result, sum_mu2(plain, x))


def test_qkeras_remains_the_reference_of_a_model_with_a_score() -> None:
    from l1distill.firmware.readers.qkeras import from_qkeras

    model = qkeras_chain((5,), [grid(4), dense(4, 3), relu(4)], [dense(4, 2), dense(4, 2)])
    plain = from_qkeras(model)
    x = full_range(plain, 200)
    settings = FirmwareSettings(device=HARDWARE, verification_events=200, adversarial_events=0)
    chosen = choose_events(model, plain, scored(plain, kind="sum_mu2"), x, settings)
    means = outputs(model, x)[:, :2]
    assert np.array_equal(chosen.y[:, 0], (means**2).sum(axis=1))
    assert chosen.reference.name == "QKeras"


def test_a_wrong_square_in_the_c_simulation_is_located(tmp_path: Path) -> None:
    network = scored(encoder(), kind="sum_mu2")
    hls.write_hls_project(network, HARDWARE, tmp_path)
    header = tmp_path / "firmware/nnet_utils/nnet_merge.h"
    product = "data1[ii % CONFIG_T::n_elem1] * data2[ii % CONFIG_T::n_elem2];"
    assert header.read_text().count(product) == 1
    header.write_text(header.read_text().replace(product, f"2 * {product}"))
    result = first_in_hls(tmp_path, network, events(network), BOUNDS)
    assert result == "first at layer score_squares (Square)"


def test_the_estimate_counts_the_score() -> None:
    plain = encoder()
    with_it = estimate(scored(plain, kind="sum_mu2", threshold=1.0), 3.5)
    means = connect(
        plain.inputs,
        plain.input_type,
        [
            *plain.layers,
            Dense(
                "means",
                kernel=np.eye(6)[:, :3],
                bias=np.zeros(3),
                kernel_type=WEIGHTS,
                bias_type=WEIGHTS,
            ),
        ],
        plain.input_exponents,
    )
    without = estimate(means, 3.5)  # the variances lead nowhere
    assert with_it.lut_estimate > without.lut_estimate
    assert with_it.latency_ns_estimate > without.latency_ns_estimate
    assert with_it.bit_operations > without.bit_operations + 3 * 5**2


@pytest.mark.parametrize(
    ("network", "settings", "words"),
    [
        (encoder(outputs=3), {"kind": "sum_mu2"}, "score.kind=sum_mu2: the network gives 3"),
        (encoder(), {"kind": "sum_mu2", "latent": 7}, "score.latent="),
        (encoder(inputs=4, outputs=4), {"kind": "sum_mu2"}, "a reconstruction has no means"),
        (encoder(), {"kind": "mse"}, "score.kind=mse: the network takes 5 .* no reconstruction"),
        (encoder(), {"threshold": 1.0}, "score.threshold: the network gives 6 numbers"),
        (encoder(), {"kind": "sum_mu2", "threshold": 0.0}, "score.threshold=0: .* between 0 and"),
        (encoder(), {"kind": "sum_mu2", "threshold": 1e9}, r"score.threshold=1e\+09: "),
        (
            encoder(ends=FixedPoint(signed=True, integer=3, fraction=12)),
            {"kind": "sum_mu2", "threshold": 1.0},
            "set score.bits=24 or fewer",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    network: Network, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        scored(network, **settings)


def test_what_goes_with_a_score_is_refused_without_one() -> None:
    for name in ("bits", "latent"):
        with pytest.raises(ValueError, match=f"score.{name}= goes with a score.kind="):
            ScoreSettings(**{name: 3})


def test_nothing_is_added_where_nothing_is_wanted() -> None:
    plain = encoder()
    assert with_score(plain, ScoreSettings()) == (plain, None)
