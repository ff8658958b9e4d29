"""Writes a vendor's first plug-in: a package with one page of code and its conformance test; it works at once."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template

from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_
from bitgoeul.targets import registry

NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
NAME_CHARACTERS_MAX = 40


def write(name: str, directory: Path | None) -> Path:
    """The new package's folder; BadInput for a name or a folder that does not do."""
    if len(name) > NAME_CHARACTERS_MAX or not NAME.fullmatch(name):
        raise BadInput(N_("A target's name has small letters, digits and single hyphens."), field="name")
    if name in registry.names():
        raise BadInput(N_("A target “{name}” is installed already."), field="name", name=name)
    folder = directory or Path(f"bitgoeul-target-{name}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(N_("{folder} is there already and not empty."), field="directory", folder=str(folder))
    module = f"bitgoeul_target_{name.replace('-', '_')}"
    values = {"name": name, "module": module, "class_name": "".join(map(str.capitalize, name.split("-")))}
    for path, text in FILES.items():
        target = folder / Template(path).substitute(values)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(Template(text).substitute(values), encoding="utf-8")
    return folder


PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "bitgoeul-target-$name"
version = "0.1.0"
description = "The target $name for bitgoeul."
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["numpy", "onnx"]  # in place of onnx: your SDK

[project.entry-points."bitgoeul.targets"]
$name = "$module:$class_name"

[tool.hatch.build.targets.wheel]
packages = ["$module"]
"""

CODE = '''\
"""The target $name. It runs in a process of its own; nothing here imports bitgoeul.

What stands here is a pretended chip: the ONNX project's reference evaluator, slow and right. Put your SDK in its
place, line by line; `bitgoeul target check $name` says after each step what holds.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator


class $class_name:
    """The chip with its software. Made once a process, with the options of the stack (texts by name)."""

    def __init__(self, options: dict[str, str]) -> None:
        for option in options:
            raise ValueError(f"there is no option {option}")

    def describe(self) -> dict[str, str]:
        """chip, driver, sdk, firmware, clocks: one line each. Leave out what you cannot read from the device."""
        return {"chip": "pretended, no hardware", "sdk": f"onnx {onnx.__version__} reference evaluator"}

    def load(self, model: Path) -> Network:
        """Compile and load an ONNX file. Raise for what the chip cannot take; say which operator."""
        return Network(onnx.load(model))


class Network:
    """A loaded model."""

    def __init__(self, model: onnx.ModelProto) -> None:
        weights = {one.name for one in model.graph.initializer}  # older models list them among the inputs
        self._names = [port.name for port in model.graph.input if port.name not in weights]
        self._evaluator = ReferenceEvaluator(model)

    def infer(self, inputs: list[np.ndarray]) -> list[np.ndarray]:
        """One batch: the graph's inputs in their order -> its outputs in their order."""
        return self._evaluator.run(None, dict(zip(self._names, inputs)))

    def close(self) -> None:
        """Let the model's memory go."""
'''

TEST = '''\
"""The conformance kit against this target, as installed: `pip install .`, then `pytest`."""

from bitgoeul.targets.conformance import findings, fit


def test_the_target_is_fit_for_trials():
    found = findings("$name", {})
    assert fit(found), [finding.to_json() for finding in found if finding.required and finding.status != "passed"]
'''

README = """\
# $name: a target for bitgoeul

    pip install .               # into the environment that bitgoeul runs in; a trial sees nothing else
    bitgoeul target check $name
    bitgoeul target stack $name --to $name.json
    pytest

`$module/__init__.py` is the whole plug-in. The last file that `stack` writes is what a trial's subject is.
"""

FILES = {
    "pyproject.toml": PYPROJECT,
    "$module/__init__.py": CODE,
    "tests/test_conformance.py": TEST,
    "README.md": README,
}
