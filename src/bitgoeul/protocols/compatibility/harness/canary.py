"""The ONNX project's reference evaluator on a few cases: prints the names it passes, as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from onnx.backend.test.runner import Runner
from onnx.reference import ReferenceEvaluator

from bitgoeul.protocols.compatibility.harness import suite as suites


def main(arguments: list[str]) -> int:
    """Folder of the suite and names of cases; 0 when the names that passed were printed."""
    folder, names = Path(arguments[0]), set(arguments[1:])
    passed = [case.name for case in suites.read(folder).cases if case.name in names and _passes(case, folder)]
    sys.stdout.write(json.dumps(sorted(passed)))
    return 0


def _passes(case: suites.Case, folder: Path) -> bool:
    evaluator = ReferenceEvaluator(str(case.model(folder)))
    for number in range(case.sets):
        inputs, wanted = case.data(folder, number)
        answers = evaluator.run(None, dict(zip(evaluator.input_names, inputs, strict=True)))
        try:
            Runner.assert_similar_outputs(wanted, list(answers), rtol=case.rtol, atol=case.atol)
        except AssertionError:
            return False
    return True


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
