"""The protocol ``inference``: LoadGen scenarios and a paired accuracy gate for a classifier of digits."""

from bitgoeul.protocols.inference.plugin import InferenceProtocol

PLUGIN = InferenceProtocol()
