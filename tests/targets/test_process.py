"""A vendor's class in a process of its own, and the frames between."""

from __future__ import annotations

import time
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from bitgoeul.targets import wire
from bitgoeul.targets.bench import hop_ns, open_runner
from bitgoeul.targets.process import ProcessTarget
from bitgoeul.trials.ports import Contract, Fault, SubjectFault
from protocols import subjects

CONTRACT = Contract(columns_in=64, columns_out=10, answer_limit_ms=1500, silence_limit_ms=3000)
SAMPLES = np.zeros((8, 64), dtype=np.float32)


def chip(name, **settings):
    return ProcessTarget(f"targets.chips:{name}", {}, **settings)


def round_trip(*values):
    data = wire.frame({"id": 1}, values)
    place = 0

    def read(size):
        nonlocal place
        place += size
        return data[place - size : place]

    return wire.read_frame(read)


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6, dtype=np.int8).reshape(2, 3), np.array(1.5), np.zeros((0, 4), dtype=np.float16),
        np.array([True, False]), np.array([1 + 2j], dtype=np.complex64),
        np.array([0.5, 2], dtype=ml_dtypes.bfloat16), np.array([1, -3], dtype=ml_dtypes.int4),
        np.array([["a", "한"]], dtype=object),
    ],
)  # fmt: skip
def test_a_tensor_arrives_as_it_was_sent(value):
    _, (got,) = round_trip(value)
    assert (got.dtype, got.shape) == (value.dtype, value.shape)
    assert np.array_equal(got, value)
    assert got.flags.writeable


def test_lists_nothing_and_scalars_arrive_as_such():
    _, got = round_trip([np.ones(2), [np.zeros(1)]], None, np.float32(2.5))
    assert isinstance(got[0], list)
    assert np.array_equal(got[0][1][0], np.zeros(1))
    assert got[1] is None
    assert isinstance(got[2], np.float32)


@pytest.mark.parametrize("head", [b"[]", b"{", b'{"values":[{"type":"object","shape":[1]}]}',
                                  b'{"values":[{"type":"float32","shape":[9]}]}',
                                  b'{"values":[{"type":"float32","shape":[-1]}]}', b'{"values":7}'])  # fmt: skip
def test_a_frame_that_is_none_is_refused(head):
    data = wire.SIZES.pack(len(head), 4) + head + b"\0\0\0\0"
    place = 0

    def read(size):
        nonlocal place
        place += size
        return data[place - size : place]

    with pytest.raises(SubjectFault) as caught:
        wire.read_frame(read)
    assert caught.value.fault is Fault.MALFORMED


def test_an_answer_too_large_is_not_waited_for():
    with pytest.raises(SubjectFault, match="an answer of"):
        wire.read_frame(lambda size: wire.SIZES.pack(1, 2**40))


def test_a_good_class_is_timed_like_any_subject(tmp_path):
    target = chip("Good")
    runner = open_runner(target, subjects.linear(tmp_path / "m.onnx"), SAMPLES, CONTRACT)
    assert runner.one(0).shape == (1, 10)
    assert runner.batch([1, 2, 3]).shape == (3, 10)
    runner.close()
    assert target._child._process.returncode == 0
    assert 1_000 < hop_ns(target) < 50_000_000


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("Hanging", Fault.NO_ANSWER),
        ("Crashing", Fault.CRASHED),
        ("Twice", Fault.ANSWERED_TWICE),
        ("WrongShape", Fault.WRONG_OUTPUT),
        ("WrongType", Fault.WRONG_OUTPUT),
        ("NoInfer", Fault.REFUSED),
        ("NoLoad", Fault.NOT_A_MODEL),
    ],
)
def test_a_bad_class_is_named_within_a_bounded_time(name, fault, tmp_path):
    def use():
        runner = open_runner(chip(name), subjects.linear(tmp_path / "m.onnx"), SAMPLES, CONTRACT)
        runner.one(0)
        runner.close()

    started = time.monotonic()
    with pytest.raises(SubjectFault) as caught:
        use()
    assert caught.value.fault is fault
    assert time.monotonic() - started < 30


def test_a_refusal_leaves_the_process_as_it_was(tmp_path):
    target = chip("Good")
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"no model")
    with pytest.raises(SubjectFault) as caught:
        target.load(bad)
    assert caught.value.fault is Fault.NOT_A_MODEL
    assert str(tmp_path) not in caught.value.detail
    model = target.load(subjects.linear(tmp_path / "m.onnx"))
    assert model.infer([SAMPLES])[0].shape == (8, 10)
    target.end()


def test_what_a_class_complains_of_can_be_kept(tmp_path):
    complaints = tmp_path / "complaints"
    target = chip("Good", complaints=complaints)
    target.load(subjects.linear(tmp_path / "m.onnx"))
    target.end()
    assert "nowhere near the answers" in Path(complaints).read_text(encoding="utf-8")
