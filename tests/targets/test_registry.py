"""Targets by code: what is installed, what is refused and how."""

from __future__ import annotations

import numpy as np
import pytest

from bitgoeul.targets import registry
from bitgoeul.targets.onnx_runtime import OnnxRuntime
from bitgoeul.trials.ports import Compiler, Fault, Scaler, SubjectFault, Telemetry, Timed, described
from protocols import subjects

IN_PROCESS = ("onnxruntime", "openvino")


def refusal(code, options):
    with pytest.raises(SubjectFault) as caught:
        registry.make(code, options)
    assert caught.value.fault is Fault.NOT_READY
    return caught.value.detail


def test_the_built_in_ones_come_through_the_door():
    assert {"onnxruntime", "openvino", "pipe", "python"} <= set(registry.names())
    assert [registry.in_process(code) for code in (*IN_PROCESS, "python", "pipe")] == [True, True, False, False]


def test_a_code_that_nobody_has_is_answered_with_those_there_are():
    assert "onnxruntime, openvino" in refusal("warp-drive", {})


@pytest.mark.parametrize(
    ("code", "options", "told"),
    [
        ("onnxruntime", {"provider": "WarpExecutionProvider"}, "CPUExecutionProvider"),
        ("openvino", {"device": "WARP"}, "it has: CPU"),
        ("onnxruntime", {"colour": "red"}, "it has: provider"),
        ("pipe", {"colour": "red"}, "it has: none"),
        ("python", {}, "class=module:Class"),
        ("python", {"class": "no_such_module:Chip"}, "ModuleNotFoundError"),
        ("python", {"class": "targets.chips:NotMade"}, "the driver is not loaded"),
    ],
)
def test_an_option_that_is_not_there_is_refused_by_name(code, options, told):
    assert told in refusal(code, options)


@pytest.mark.parametrize("code", IN_PROCESS)
def test_a_built_in_target_describes_itself_loads_and_answers(code, tmp_path):
    target = registry.make(code, {})
    told = described(target.describe())
    assert told["sdk"]
    assert "firmware" not in told  # nobody told it
    model = target.load(subjects.linear(tmp_path / "m.onnx"))
    (scores,) = model.infer([np.ones((3, 64), dtype=np.float32)])
    assert (scores.shape, scores.dtype) == ((3, 10), np.float32)
    model.close()


@pytest.mark.parametrize("code", IN_PROCESS)
def test_a_target_stands_on_packages_with_version_and_digest(code):
    (package,) = registry.packages(code)
    assert package["name"] == code
    assert len(package["digest"]) == 64


@pytest.mark.parametrize("code", IN_PROCESS)
def test_no_model_is_refused(code, tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(SubjectFault) as caught:
        registry.make(code, {}).load(path)
    assert caught.value.fault is Fault.NOT_A_MODEL


def test_abilities_are_found_by_isinstance():
    assert isinstance(OnnxRuntime({}), Timed)
    able = registry.make("python", {"class": "targets.chips:Able"})
    assert all(isinstance(able, ability) for ability in (Compiler, Scaler, Telemetry))
    good = registry.make("python", {"class": "targets.chips:Good"})
    assert not any(isinstance(good, ability) for ability in (Compiler, Scaler, Telemetry))
    assert able.telemetry() == {"card_power_mw": 12_000}
    able.scale(1)
    with pytest.raises(SubjectFault, match="there is 1"):
        able.scale(2)


@pytest.mark.parametrize(
    "told", [["chip"], {"speed": "fast"}, {"chip": ""}, {"chip": "two\nlines"}, {"chip": 7}, {"chip": "x" * 201}]
)
def test_a_description_that_is_none_is_refused(told):
    with pytest.raises(SubjectFault) as caught:
        described(told)
    assert caught.value.fault is Fault.MALFORMED
