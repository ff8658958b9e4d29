"""Subjects that misbehave: ONNX files and small programs, each bad in one way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

PROGRAM = """
import os, struct, sys, time
HEAD = struct.Struct("<QII")
source, sink = sys.stdin.buffer, sys.stdout.buffer
def say(number, rows, columns=10, fill=0.0):
    sink.write(HEAD.pack(number, rows, columns) + struct.pack("<f", fill) * (rows * columns))
    sink.flush()
{setup}
sink.write(b"BGP1"); sink.flush()
while head := source.read(HEAD.size):
    number, rows, columns = HEAD.unpack(head)
    body = source.read(4 * rows * columns)
{answer}
"""


def program(path: Path, answer: str = "say(number, rows)", setup: str = "") -> Path:
    """A subject's program that answers each question with ``answer``."""
    lines = "\n".join(f"    {line}" for line in answer.splitlines())
    path.write_text(PROGRAM.replace("{setup}", setup).replace("{answer}", lines), encoding="utf-8")
    return path


def model(path: Path, nodes, *, inputs=(("pixels", TensorProto.FLOAT, ["batch", 64]),),
          outputs=(("scores", TensorProto.FLOAT, ["batch", 10]),), weights=(), domains=()) -> Path:  # fmt: skip
    """An ONNX file of these nodes, unchecked."""
    graph = helper.make_graph(
        list(nodes), "bad", [helper.make_tensor_value_info(*port) for port in inputs],
        [helper.make_tensor_value_info(*port) for port in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 17), *(helper.make_opsetid(domain, 1) for domain in domains)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def linear(path: Path, columns_in=64, columns_out=10, **ports) -> Path:
    """One MatMul of zeros."""
    node = helper.make_node("MatMul", ["pixels", "weight"], ["scores"])
    weight = np.zeros((columns_in, columns_out), dtype=np.float32)
    return model(path, [node], weights=[("weight", weight)], **ports)


def endless(path: Path) -> Path:
    """A Loop that a lifetime does not suffice for."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Sin", ["seen"], ["next"])],
        "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []),
         helper.make_tensor_value_info("go", TensorProto.BOOL, []),
         helper.make_tensor_value_info("seen", TensorProto.FLOAT, ["batch", 10])],
        [helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
         helper.make_tensor_value_info("next", TensorProto.FLOAT, ["batch", 10])],
    )  # fmt: skip
    nodes = [
        helper.make_node("MatMul", ["pixels", "weight"], ["start"]),
        helper.make_node("Loop", ["times", "yes", "start"], ["scores"], body=body),
    ]
    weights = [
        ("weight", np.zeros((64, 10), dtype=np.float32)),
        ("times", np.asarray(2**62, dtype=np.int64)),
        ("yes", np.asarray(True)),
    ]
    return model(path, nodes, weights=weights)
