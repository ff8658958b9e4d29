"""Target ``openvino``: an ONNX file in OpenVINO, inside the measuring child, on any of its devices.

Options: ``device`` (CPU). Needs the package ``openvino`` (``pip install "bitgoeul[openvino]"``, 178 MiB).
Numbers are computed in the precision of the model: OpenVINO may otherwise choose a narrower one by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bitgoeul.targets.options import chosen
from bitgoeul.trials.ports import Fault, SubjectFault, Value

THREADS = 1


class OpenVino:
    """The target ``openvino``."""

    packages = ("openvino",)

    def __init__(self, options: Mapping[str, str]) -> None:
        try:
            import openvino
        except ImportError as error:
            raise SubjectFault(
                Fault.NOT_READY, "the package openvino is not installed here: pip install openvino"
            ) from error
        self._version = str(openvino.get_version())
        self._core = openvino.Core()
        self.device = chosen(options, "device", "CPU", self._core.available_devices)

    def describe(self) -> Mapping[str, str]:
        """The device's own name and OpenVINO's version."""
        name = str(self._core.get_property(self.device, "FULL_DEVICE_NAME")).strip()
        return {"chip": name, "sdk": f"OpenVINO {self._version}, {self.device}"}

    def load(self, model: Path) -> OpenVinoModel:
        """Convert and compile the file; raises SubjectFault (NOT_A_MODEL) with OpenVINO's own words."""
        settings: dict[str, Any] = {"INFERENCE_NUM_THREADS": THREADS} if self.device == "CPU" else {}
        settings["EXECUTION_MODE_HINT"] = "ACCURACY"
        try:
            # From bytes: reading the same file by its name refuses a few models that OpenVINO otherwise takes.
            read = self._core.read_model(model.read_bytes(), b"")
            compiled = self._core.compile_model(read, self.device, settings)
        except Exception as error:  # the runtime raises RuntimeError and more without a common base
            raise SubjectFault(Fault.NOT_A_MODEL, str(error)) from error
        return OpenVinoModel(compiled)


class OpenVinoModel:
    """A compiled model with one request, asked again and again."""

    def __init__(self, compiled: Any) -> None:
        self._request = compiled.create_infer_request()
        self._outputs = range(len(compiled.outputs))

    def infer(self, inputs: Sequence[Value]) -> Sequence[Value]:
        """All outputs, copied: the request's own memory is written again by the next answer."""
        self._request.infer(dict(enumerate(inputs)))
        return [np.array(self._request.get_output_tensor(number).data) for number in self._outputs]

    def close(self) -> None:
        """Nothing is left to wait for."""
