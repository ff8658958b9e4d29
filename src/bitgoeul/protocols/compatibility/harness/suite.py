"""The ONNX project's backend tests, as the installed package ``onnx`` brings them, written as files of our own.

Node cases are made by the package's code (deterministic), the others lie in it. Nothing is fetched: a case whose
model has an address elsewhere is left out by name. ``python -m …suite FOLDER`` writes it.
"""

from __future__ import annotations

import hashlib
import json
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import DATA_DIR, load_model_tests

from bitgoeul.kernel.canonical import digest
from bitgoeul.protocols.compatibility.record import CaseKey
from bitgoeul.targets.wire import frame, read_frame
from bitgoeul.trials.ports import Value

KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator", "real")
LIGHT = "onnx/backend/test/data/light/"
EXPANDED = "_expanded"
SEVERAL = "(several)"
INDEX = "cases.json"

Set = tuple[list[Value], list[Value]]


@dataclass(frozen=True)
class Case:
    """One case: where it counts, its tolerances, its folder, how many data sets it has."""

    part: str
    operator: str
    opset: int
    name: str
    rtol: float
    atol: float
    folder: str
    sets: int

    @property
    def key(self) -> CaseKey:
        """What the case list says of it, and the order it stands in."""
        return self.part, self.operator, self.opset, self.name

    def model(self, suite: Path) -> Path:
        """Its ONNX file."""
        return suite / self.folder / "model.onnx"

    def data(self, suite: Path, number: int) -> Set:
        """Inputs and expected outputs of one data set."""
        data = memoryview((suite / self.folder / f"{number}.data").read_bytes())

        def read(size: int) -> bytes:
            nonlocal data
            part, data = data[:size], data[size:]
            return bytes(part)

        head, values = read_frame(read)
        return values[: head["inputs"]], values[head["inputs"] :]


@dataclass(frozen=True)
class Suite:
    """All cases in their order, the names of those left out, and the digest of models and data."""

    cases: list[Case]
    left_out: list[str]
    data_digest: str

    def list_digest(self) -> str:
        """SHA-256 of the canonical list of part, operator, opset and name."""
        return digest([list(case.key) for case in self.cases])


def write(folder: Path) -> Suite:
    """Write the whole suite under ``folder``."""
    warnings.simplefilter("ignore")
    cases, left_out = [], []
    for kind in KINDS:
        for found in load_model_tests(kind=kind):
            if found.url is not None and not found.url.startswith(LIGHT):
                left_out.append(found.name)
            else:
                cases.append(_case(folder, kind, found))
    cases.sort(key=lambda case: case.key)
    total = hashlib.sha256()
    for case in cases:
        for path in sorted((folder / case.folder).iterdir()):
            total.update(f"{case.name}/{path.name}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    suite = Suite(cases, sorted(left_out), total.hexdigest())
    (folder / INDEX).write_text(json.dumps(asdict(suite)), encoding="utf-8")
    return suite


def read(folder: Path) -> Suite:
    """What ``write`` wrote."""
    told = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    return Suite([Case(**case) for case in told["cases"]], told["left_out"], told["data_digest"])


def _case(suite: Path, kind: str, found: Any) -> Case:
    model, sets = _content(kind, found)
    where = f"{kind}/{found.name}"
    (suite / where).mkdir(parents=True)
    (suite / where / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
    for number, (inputs, outputs) in enumerate(sets):
        data = frame({"inputs": len(inputs)}, [*map(_plain, inputs), *map(_plain, outputs)])
        (suite / where / f"{number}.data").write_bytes(data)
    part, operator, opset = _place(kind, found, model)
    return Case(part, operator, opset, found.name, found.rtol, found.atol, where, len(sets))


def _place(kind: str, found: Any, model: Any) -> tuple[str, str, int]:
    """Part of the suite, operator and the opset of the operator's domain.

    An expanded case is the function body of an operator: a part of its own, under the name of that operator.
    """
    opsets = {one.domain or "ai.onnx": one.version for one in model.opset_import}
    if kind == "real":
        return "light", found.model_name, opsets.get("ai.onnx", 0)
    if kind == "node" and EXPANDED in found.name:
        base = _BASES.get(found.name.partition(EXPANDED)[0], SEVERAL)
        return "expanded", base, opsets.get(base.rpartition(":")[0] or "ai.onnx", 0)
    kinds = {(node.domain or "ai.onnx", node.op_type) for node in model.graph.node}
    if len(kinds) != 1:
        return kind, SEVERAL, opsets.get("ai.onnx", 0)
    domain, name = kinds.pop()
    operator = name if domain == "ai.onnx" else f"{domain}:{name}"
    if kind == "node":
        _BASES[found.name] = operator
    return kind, operator, opsets.get(domain, 0)


_BASES: dict[str, str] = {}


def _content(kind: str, found: Any) -> tuple[Any, Sequence[Set]]:
    if found.model is not None:
        return found.model, found.data_sets
    if found.url is not None:
        return _light(found)
    folder = Path(found.model_dir)
    model = onnx.load(folder / "model.onnx")
    sets = [
        (_tensors(each, "input", model.graph.input), _tensors(each, "output", model.graph.output))
        for each in sorted(folder.glob("test_data_set*"))
    ]
    return model, sets


def _light(found: Any) -> tuple[Any, Sequence[Set]]:
    """A light model: the suite's own made-up input, the answers that lie beside it in the package."""
    from onnx.backend.test.runner import Runner

    path = Path(DATA_DIR) / "light" / found.url.removeprefix(LIGHT)
    model = onnx.load(path)
    weights = {one.name for one in model.graph.initializer}
    inputs = [
        Runner.generate_dummy_data(port, seed=0, name=found.model_name, random=False)
        for port in model.graph.input
        if port.name not in weights
    ]
    outputs = []
    for number in range(len(model.graph.output)):
        tensor = onnx.TensorProto()
        tensor.ParseFromString(path.with_name(f"{path.stem}_output_{number}.pb").read_bytes())
        outputs.append(numpy_helper.to_array(tensor))
    return model, [(inputs, outputs)]


def _tensors(folder: Path, name: str, ports: Any) -> list[Value]:
    found: list[Value] = []
    for number in range(len(list(folder.glob(f"{name}_*.pb")))):
        data = (folder / f"{name}_{number}.pb").read_bytes()
        kind = ports[number].type
        if kind.HasField("sequence_type"):
            found.append(numpy_helper.to_list(_parsed(onnx.SequenceProto(), data)))
        elif kind.HasField("optional_type"):
            found.append(numpy_helper.to_optional(_parsed(onnx.OptionalProto(), data)))
        else:
            found.append(numpy_helper.to_array(_parsed(onnx.TensorProto(), data)))
    return found


def _parsed(proto: Any, data: bytes) -> Any:
    proto.ParseFromString(data)
    return proto


def _plain(value: Any) -> Value:
    """The suite gives arrays, NumPy scalars and protos; a proto becomes its array, as in the suite's runner."""
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value if value is None or isinstance(value, np.generic) else np.asarray(value)


if __name__ == "__main__":
    made = write(Path(sys.argv[1]))
    sys.stdout.write(f"{len(made.cases)} cases, {len(made.left_out)} left out, {made.list_digest()}\n")
