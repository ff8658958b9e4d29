"""The example's data and models: fixed, plain, loaded by two runtimes, and the cheat is really faster."""

from __future__ import annotations

import time
from statistics import median

import numpy as np
import onnx
import pytest

from bitgoeul.protocols.inference import example_models
from bitgoeul.protocols.inference.plugin import file_digest

ONNX_FILES = (example_models.REFERENCE, example_models.INT8, example_models.CHEAT)


def test_the_split_is_fixed_stratified_and_disjoint():
    halves = example_models.split()
    assert (len(halves.train), len(halves.held_out)) == (898, 899)
    assert np.bincount(halves.held_out_labels).min() >= 85
    assert 0 <= halves.held_out.min() <= halves.held_out.max() <= 1
    assert (example_models.split().held_out == halves.held_out).all()


def test_building_again_keeps_the_files_and_elsewhere_gives_the_same(models, tmp_path):
    before = {name: path.stat().st_mtime_ns for name, path in models.items()}
    directory = next(iter(models.values())).parent
    example_models.build(directory)
    assert {name: path.stat().st_mtime_ns for name, path in models.items()} == before
    again = example_models.build(tmp_path / "again")
    assert {n: file_digest(p) for n, p in again.items()} == {n: file_digest(p) for n, p in models.items()}


@pytest.mark.parametrize("name", ONNX_FILES)
def test_only_plain_operators(models, name):
    domains = {node.domain for node in onnx.load(models[name]).graph.node}
    assert domains <= {"", "ai.onnx"}


def test_int8_really_is_quantized(models):
    kinds = {node.op_type for node in onnx.load(models[example_models.INT8]).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds


@pytest.mark.parametrize("name", ONNX_FILES)
def test_two_runtimes_agree(models, name):
    openvino = pytest.importorskip("openvino")
    samples = example_models.split().held_out
    first = example_models.predictions(models[name], samples)
    compiled = openvino.Core().compile_model(str(models[name]), "CPU")
    second = np.asarray(compiled([samples])[compiled.output(0)]).argmax(axis=1)
    assert (first == second).mean() > 0.99


def test_int8_loses_little_and_the_cheat_loses_much(models):
    halves = example_models.split()
    right = {
        name: example_models.predictions(models[name], halves.held_out) == halves.held_out_labels
        for name in ONNX_FILES
    }
    assert right[example_models.REFERENCE].mean() > 0.95
    lost = (right[example_models.REFERENCE] & ~right[example_models.INT8]).sum()
    assert lost <= 3
    assert right[example_models.CHEAT].mean() < 0.8


def test_the_cheat_is_faster_than_int8(models):
    import onnxruntime

    sample = example_models.split().held_out[:1]

    def answer_ns(name):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(models[name], options, providers=["CPUExecutionProvider"])
        times = []
        for _ in range(3000):
            started = time.perf_counter_ns()
            session.run(None, {"pixels": sample})
            times.append(time.perf_counter_ns() - started)
        return median(times)

    assert any(answer_ns(example_models.CHEAT) < answer_ns(example_models.INT8) for _ in range(5))
