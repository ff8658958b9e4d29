"""Both targets name what a subject does wrong, without LoadGen around them."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from bitgoeul.targets.onnx_runtime import OnnxRuntime
from bitgoeul.targets.pipe import Pipe
from bitgoeul.trials.ports import Contract, Fault, SubjectFault
from protocols import subjects

CONTRACT = Contract(columns_in=64, columns_out=10, answer_limit_ms=150, silence_limit_ms=600)
SAMPLES = np.zeros((8, 64), dtype=np.float32)
PORT = ("pixels", TensorProto.FLOAT, ["batch", 64])


def fault_of(target, path):
    def use():
        runner = target.open(path, SAMPLES, CONTRACT)
        for index in range(4):
            runner.one(index)
        runner.close()

    with pytest.raises(SubjectFault) as caught:
        use()
    assert "\n" not in caught.value.detail
    assert len(caught.value.detail) <= 400
    return caught.value.fault


def test_a_good_model_answers_one_and_many(tmp_path):
    runner = OnnxRuntime({}).open(subjects.linear(tmp_path / "m.onnx"), SAMPLES, CONTRACT)
    assert runner.one(0).shape == (1, 10)
    assert runner.batch([0, 3, 5]).shape == (3, 10)
    assert OnnxRuntime({}).hop_ns() == 0


@pytest.mark.parametrize("data", [b"\x00", b"not a model", b"\x08\x08" * 100, b"PK\x03\x04zip"])
def test_not_a_model(tmp_path, data):
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    assert fault_of(OnnxRuntime({}), path) is Fault.NOT_A_MODEL


@pytest.mark.parametrize(
    ("operator", "domain"), [("Foo", "com.acme"), ("Foo", ""), ("LinearClassifier", "com.acme")]
)
def test_an_unsupported_operator_is_named(tmp_path, operator, domain):
    node = helper.make_node(operator, ["pixels"], ["scores"], domain=domain)
    path = subjects.model(tmp_path / "m.onnx", [node], domains=[domain] if domain else [])
    with pytest.raises(SubjectFault) as caught:
        OnnxRuntime({}).open(path, SAMPLES, CONTRACT)
    assert caught.value.fault is Fault.UNSUPPORTED_OPERATOR
    assert operator in caught.value.detail


@pytest.mark.parametrize(
    "ports",
    [
        {"columns_in": 32, "inputs": (("pixels", TensorProto.FLOAT, ["batch", 32]),)},
        {"columns_in": 32, "inputs": (("pixels", TensorProto.FLOAT, ["batch", "any"]),)},
        {"inputs": (("pixels", TensorProto.FLOAT, [1, 64]),)},
        {"inputs": (PORT, ("more", TensorProto.FLOAT, ["batch", 64]))},
    ],
)
def test_a_wrong_input(tmp_path, ports):
    path = subjects.linear(tmp_path / "m.onnx", **ports)
    assert fault_of(OnnxRuntime({}), path) is Fault.WRONG_INPUT


def test_a_wrong_input_type(tmp_path):
    nodes = [
        helper.make_node("Cast", ["pixels"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["real", "weight"], ["scores"]),
    ]
    weights = [("weight", np.zeros((64, 10), dtype=np.float32))]
    inputs = (("pixels", TensorProto.DOUBLE, ["batch", 64]),)
    path = subjects.model(tmp_path / "m.onnx", nodes, inputs=inputs, weights=weights)
    assert fault_of(OnnxRuntime({}), path) is Fault.WRONG_INPUT


@pytest.mark.parametrize("told", [7, "any"])
def test_a_wrong_output(tmp_path, told):
    outputs = (("scores", TensorProto.FLOAT, ["batch", told]),)
    path = subjects.linear(tmp_path / "m.onnx", columns_out=7, outputs=outputs)
    assert fault_of(OnnxRuntime({}), path) is Fault.WRONG_OUTPUT


def test_a_good_program_answers(tmp_path):
    runner = Pipe({}).open(subjects.program(tmp_path / "p.py"), SAMPLES, CONTRACT)
    assert runner.one(0).shape == (1, 10)
    assert runner.batch([1, 2, 3]).shape == (3, 10)
    runner.close()
    assert runner._child._process.returncode == 0


def test_the_hop_costs_something_and_is_measured():
    assert 1_000 < Pipe({}).hop_ns() < 50_000_000


@pytest.mark.parametrize(
    ("answer", "setup", "fault"),
    [
        ("time.sleep(60)", "", Fault.NO_ANSWER),
        ("time.sleep(0.3); say(number, rows)", "", Fault.LATE),
        ("say(number, rows); say(number, rows)", "", Fault.ANSWERED_TWICE),
        ("say(number, rows)\nif number == 4: say(number, rows)", "", Fault.ANSWERED_TWICE),
        ("say(number + 7, rows)", "", Fault.MALFORMED),
        ("say(number, rows, 9)", "", Fault.WRONG_OUTPUT),
        ("say(number, 2**31, 10) if False else sink.write(HEAD.pack(number, 1, 2**31)); sink.flush()", "",
         Fault.WRONG_OUTPUT),
        ("os.abort()", "", Fault.CRASHED),
        ("sys.exit(3)", "", Fault.CRASHED),
        ("sink.write(b'BG'); sink.flush(); sys.exit()", "", Fault.CRASHED),
        ("say(number, rows)", "sys.exit(1)", Fault.CRASHED),
        ("say(number, rows)", "time.sleep(60)", Fault.NOT_READY),
        ("say(number, rows)", "sink.write(b'nope'); sink.flush()", Fault.NOT_READY),
    ],
)  # fmt: skip
def test_a_bad_program_is_named(tmp_path, answer, setup, fault):
    assert fault_of(Pipe({}), subjects.program(tmp_path / "p.py", answer, setup)) is fault


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("Load model from /home/ara/jobs/7/work/subject.bin failed", "Load model from the file failed"),
        ("open('/srv/var/x.bin'): no", "open('the file'): no"),
        ("file=/srv/var/x.bin:12", "file=the file:12"),
        ("/onnxruntime_src/core/model.cc:179 Model(", "the file:179 Model("),
        ("running MatMul node. Name:'/fc1/MatMul'", "running MatMul node. Name:'/fc1/MatMul'"),
        ("Node (/fc1/MatMul) and/or/not https://onnx.ai/docs 1 / 2", None),
    ],
)
def test_a_detail_tells_no_path_of_the_machine(told, kept):
    assert SubjectFault(Fault.CRASHED, told).detail == (kept or told)


def test_a_working_directory_with_a_space_is_not_told(tmp_path, monkeypatch):
    folder = tmp_path / "two words"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert SubjectFault(Fault.CRASHED, f"in {folder}/work/subject.bin: no").detail == "in the file: no"


@pytest.mark.parametrize("data", [b"\x00", b"not a model", b"PK\x03\x04zip"])
def test_a_file_that_is_no_model_is_told_of_without_its_place(tmp_path, data):
    path = tmp_path / "subject.bin"
    path.write_bytes(data)
    with pytest.raises(SubjectFault) as caught:
        OnnxRuntime({}).open(path, SAMPLES, CONTRACT)
    assert str(tmp_path) not in caught.value.detail
    assert "subject.bin" not in caught.value.detail
