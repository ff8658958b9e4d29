"""Results of MLPerf Inference submissions, read from a tree as MLCommons publishes it.

"MLPerf" is a trademark of MLCommons: what is read here keeps its round, division and submitter wherever it is
shown.
"""

from .flags import Flag
from .results import FINDINGS, NoResults, Result, read_tree

__all__ = ["FINDINGS", "Flag", "NoResults", "Result", "read_tree"]
