"""Data and models of the example: real handwritten digits, a small network, its INT8 form, and a cheat.

Data: "Optical Recognition of Handwritten Digits" as bundled with scikit-learn (1,797 images of 8 × 8 pixels).
One fixed stratified split: 898 to train and calibrate, 899 held out. The files are a function of the library
versions and the machine's arithmetic; another machine may give other digests, the same machine the same ones.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SEED = 2026
TRAIN, HELD_OUT = 898, 899
HIDDEN = 128
CORNER = tuple(row * 8 + column for row in range(4) for column in range(4))

SAMPLES = "digits-samples.npy"
LABELS = "digits-labels.npy"
REFERENCE = "digits-fp32.onnx"
INT8 = "digits-int8.onnx"
CHEAT = "digits-corner.onnx"
EXPECTED = "digits-expected.json"
FILES = (SAMPLES, LABELS, REFERENCE, INT8, CHEAT, EXPECTED)

Layer = tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]


@dataclass(frozen=True)
class Split:
    """Pixels float32 ``[n, 64]`` in 0…1 and labels uint8 ``[n]`` of the two halves."""

    train: np.ndarray[Any, Any]
    train_labels: np.ndarray[Any, Any]
    held_out: np.ndarray[Any, Any]
    held_out_labels: np.ndarray[Any, Any]


def split() -> Split:
    """The fixed stratified half split of the digits."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)
    train, held_out = train_test_split(
        np.arange(len(labels)), train_size=TRAIN, test_size=HELD_OUT, random_state=SEED, stratify=labels
    )
    scaled = (pixels / 16).astype(np.float32)
    marks = labels.astype(np.uint8)
    return Split(scaled[train], marks[train], scaled[held_out], marks[held_out])


def build(directory: Path) -> dict[str, Path]:
    """Make every example file under ``directory`` and return name → path; files already there are kept.

    Takes a few seconds the first time. Each file appears whole or not at all.
    """
    directory.mkdir(parents=True, exist_ok=True)
    paths = {name: directory / name for name in FILES}
    if not all(path.exists() for path in paths.values()):
        from threadpoolctl import threadpool_limits

        # For networks this small, threads on a busy machine wait for each other longer than they compute.
        with tempfile.TemporaryDirectory(dir=directory) as scratch, threadpool_limits(limits=1):
            _make(Path(scratch))
            for name, path in paths.items():
                (Path(scratch) / name).replace(path)
    return paths


def _make(directory: Path) -> None:
    halves = split()
    np.save(directory / SAMPLES, halves.held_out, allow_pickle=False)
    np.save(directory / LABELS, halves.held_out_labels, allow_pickle=False)
    write_classifier(directory / REFERENCE, _network(halves))
    _quantize(directory / REFERENCE, directory / INT8, halves)
    write_classifier(directory / CHEAT, _corner_only(halves), columns=CORNER)
    answers = predictions(directory / REFERENCE, halves.held_out)
    expected = {
        "predictions_digest": hashlib.sha256(answers.tobytes()).hexdigest(),
        "right": int((answers == halves.held_out_labels).sum()),
        "samples": len(answers),
    }
    (directory / EXPECTED).write_text(json.dumps(expected, sort_keys=True) + "\n", encoding="utf-8")


def _network(halves: Split) -> list[Layer]:
    from sklearn.neural_network import MLPClassifier

    network = MLPClassifier((HIDDEN,), random_state=SEED, max_iter=400, alpha=1e-3)
    network.fit(halves.train.astype(np.float64), halves.train_labels)
    return list(zip(network.coefs_, network.intercepts_, strict=True))


def _corner_only(halves: Split) -> list[Layer]:
    from sklearn.linear_model import LogisticRegression

    glance = LogisticRegression(max_iter=2000, random_state=SEED)
    glance.fit(halves.train[:, CORNER].astype(np.float64), halves.train_labels)
    return [(glance.coef_.T, glance.intercept_)]


def write_classifier(path: Path, layers: Sequence[Layer], columns: Sequence[int] | None = None) -> None:
    """Write layers as an ONNX file of plain ai.onnx nodes: MatMul, Add, Relu, and Gather for ``columns``.

    Input ``pixels`` float32 ``[batch, 64]``, output ``scores`` float32 ``[batch, 10]``. (Converters write
    ai.onnx.ml operators, which other runtimes refuse.)
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights, current = [], [], "pixels"
    if columns is not None:
        weights.append(numpy_helper.from_array(np.asarray(columns, dtype=np.int64), "corner"))
        nodes.append(helper.make_node("Gather", [current, "corner"], ["patch"], axis=1))
        current = "patch"
    for number, (matrix, bias) in enumerate(layers):
        weights.append(numpy_helper.from_array(matrix.astype(np.float32), f"weight{number}"))
        weights.append(numpy_helper.from_array(bias.astype(np.float32), f"bias{number}"))
        added = "scores" if number == len(layers) - 1 else f"sum{number}"
        nodes.append(helper.make_node("MatMul", [current, f"weight{number}"], [f"product{number}"]))
        nodes.append(helper.make_node("Add", [f"product{number}", f"bias{number}"], [added]))
        if added != "scores":
            nodes.append(helper.make_node("Relu", [added], [f"active{number}"]))
        current = f"active{number}"
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])
        for name, width in (("pixels", 64), ("scores", 10))
    ]
    graph = helper.make_graph(nodes, "digits", ends[:1], ends[1:], weights)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="bitgoeul"
    )
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _quantize(source: Path, target: Path, halves: Split) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class TrainHalf(CalibrationDataReader):  # type: ignore[misc]  # the base class is untyped
        def __init__(self) -> None:
            self.rest = iter(range(0, TRAIN, 64))

        def get_next(self) -> dict[str, np.ndarray[Any, Any]] | None:
            start = next(self.rest, None)
            return None if start is None else {"pixels": halves.train[start : start + 64]}

    quantize_static(
        source, target, TrainHalf(), quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
    )  # fmt: skip


def predictions(path: Path, samples: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The class of each sample by a model of our own, uint8 ``[n]``; only for files made here."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    scores = session.run(None, {session.get_inputs()[0].name: samples})[0]
    classes: np.ndarray[Any, Any] = np.asarray(scores).argmax(axis=1).astype(np.uint8)
    return classes
