"""The file of a stack: written the same way each time, read with suspicion."""

from __future__ import annotations

import io
import zipfile

import pytest

from bitgoeul.targets import stack as stacks
from bitgoeul.targets.stack import Stack, check_packages, read_stack, stack_file
from bitgoeul.trials.ports import Fault, SubjectFault

STACK = Stack("onnxruntime", {"provider": "CPUExecutionProvider"}, {"onnxruntime": "1.0"})


def read(data, tmp_path):
    path = tmp_path / "subject.bin"
    path.write_bytes(data)
    return read_stack(path, tmp_path / "models")


def zipped(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


def test_what_is_written_is_read(tmp_path):
    assert read(stack_file(STACK), tmp_path) == (STACK, [])


def test_models_come_along_and_the_same_ones_give_the_same_bytes(tmp_path):
    models = [tmp_path / "b.onnx", tmp_path / "a.onnx"]
    for model in models:
        model.write_bytes(model.name.encode())
    data = stack_file(STACK, models)
    assert data == stack_file(STACK, list(reversed(models)))
    stack, found = read(data, tmp_path)
    assert stack == STACK
    assert [path.name for path in found] == ["a.onnx", "b.onnx"]
    assert found[1].read_bytes() == b"b.onnx"


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\0\1", b"[]", b"{}", b'{"schema":"bitgoeul.stack/2","target":"x"}',
        b'{"schema":"bitgoeul.stack/1"}', b'{"schema":"bitgoeul.stack/1","target":""}',
        b'{"schema":"bitgoeul.stack/1","target":"x","options":{"a":1}}',
        b'{"schema":"bitgoeul.stack/1","target":"x","speed":"fast"}', b"{" * 70_000, b"PK\3\4 no archive",
        zipped([("models/a.onnx", b"x")]), zipped([("stack.json", b"no")]),
        zipped([("stack.json", stack_file(STACK)), ("../up.onnx", b"x")]),
        zipped([("stack.json", stack_file(STACK)), ("models/deep/a.onnx", b"x")]),
        zipped([("stack.json", stack_file(STACK)), ("elsewhere.onnx", b"x")]),
        zipped([("stack.json", stack_file(STACK))] + [(f"models/{n}.onnx", b"x") for n in range(51)]),
        zipped([("stack.json", b" " * 70_000)]),
    ],
)  # fmt: skip
def test_what_is_no_stack_is_refused_by_name(data, tmp_path):
    with pytest.raises(SubjectFault) as caught:
        read(data, tmp_path)
    assert caught.value.fault is Fault.NOT_A_STACK
    assert not (tmp_path / "up.onnx").exists()


def test_an_archive_that_grows_is_read_no_further_than_its_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(stacks, "MODEL_BYTES_MAX", 1000)
    data = zipped([("stack.json", stack_file(STACK)), ("models/a.onnx", b"\0" * 10**6)])
    with pytest.raises(SubjectFault, match="larger than 1000 bytes"):
        read(data, tmp_path)


def test_other_versions_than_the_stack_names_are_said():
    with pytest.raises(SubjectFault, match=r"names onnxruntime 1\.0; installed here is"):
        check_packages(STACK)
    with pytest.raises(SubjectFault, match="installed here is none"):
        check_packages(Stack("x", {}, {"no-such-package": "1"}))
