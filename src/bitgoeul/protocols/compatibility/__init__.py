"""Protocol ``compatibility``: which ONNX operators and models a stack runs, by the ONNX project's own suite."""

from bitgoeul.protocols.compatibility.plugin import CompatibilityProtocol

PLUGIN = CompatibilityProtocol()
