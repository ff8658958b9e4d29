"""The plug-in's platform side: data, parameters, the job."""

from __future__ import annotations

import json
from importlib.metadata import version

import pytest

from bitgoeul.kernel.canonical import canonical_bytes, digest
from bitgoeul.kernel.errors import BadInput
from bitgoeul.protocols.inference import PLUGIN
from bitgoeul.protocols.inference.plugin import base_definition
from bitgoeul.trials.ports import Order


@pytest.fixture
def order(definition):
    definition = {**base_definition(), **{name: definition[name] for name in ("assets", "expected")}}

    def make(**changes):
        values = {
            "trial_id": "t", "attempt": 1, "protocol_digest": digest(definition), "definition": definition,
            "parameters": PLUGIN.check_parameters(definition, {}), "subject_kind": "onnx",
            "subject_digest": "5" * 64, "assets": definition["assets"],
        }  # fmt: skip
        return Order(**{**values, **changes})

    return make


def test_the_definition_is_canonical_data_with_the_assets_in_it(models):
    directory = next(iter(models.values())).parent
    definition = PLUGIN.definition(directory)
    assert sorted(definition["assets"]) == ["digits-fp32.onnx", "digits-labels.npy", "digits-samples.npy"]
    assert digest(definition) == digest(PLUGIN.definition(directory))
    assert json.loads(canonical_bytes(definition)) == definition


def test_the_engine_versions_are_the_installed_ones():
    wanted = base_definition()["engine"]["packages"]
    assert wanted == {name: version(name) for name in wanted}


def test_parameters_have_defaults_and_take_form_text(definition):
    filled = PLUGIN.check_parameters(definition, {"batch": "32"})
    assert filled == {"seconds": 3, "batch": 32, "server_rate": 300, "server_latency_ms": 100}


@pytest.mark.parametrize(
    ("raw", "field"),
    [({"seconds": 2}, "seconds"), ({"seconds": 601}, "seconds"), ({"batch": "many"}, "batch"),
     ({"batch": True}, "batch"), ({"batch": 1.5}, "batch"), ({"server_rate": "٣٠٠"}, "server_rate"),
     ({"colour": 1}, "colour")],
)  # fmt: skip
def test_a_bad_parameter_is_named(definition, raw, field):
    with pytest.raises(BadInput) as refused:
        PLUGIN.check_parameters(definition, raw)
    assert refused.value.field == field


def test_the_job_holds_more_than_it_expects(order):
    plan = PLUGIN.prepare(order())
    assert plan.inputs["subject.bin"] == "5" * 64
    assert plan.outputs == ("record.json", "logs.tar")
    assert plan.expected_seconds < plan.wall_seconds
    assert plan.devices == {"software-target": 1}
    longer = PLUGIN.prepare(
        order(parameters={"seconds": 600, "batch": 16, "server_rate": 300, "server_latency_ms": 50})
    )
    assert longer.wall_seconds > 3 * 600


def test_the_harness_is_not_told_how_it_is_judged(order):
    told = json.loads(PLUGIN.prepare(order()).files["trial.json"])
    assert "acceptance" not in told["definition"]
    assert told["timing_gate"] == {"lost_max": 3}


def test_a_version_that_named_its_targets_otherwise_is_refused_by_name(order, definition):
    assert "entry" in definition["targets"]["onnx"]
    with pytest.raises(BadInput) as refused:
        PLUGIN.prepare(order(definition=definition))
    assert refused.value.field == "protocol"


def test_another_kind_of_subject_is_refused(order):
    with pytest.raises(BadInput):
        PLUGIN.prepare(order(subject_kind="vehicle"))
