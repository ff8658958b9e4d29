"""Results of MLPerf Inference submissions, read from a tree as MLCommons publishes it.

"MLPerf" is a trademark of MLCommons: what is read here keeps its round, division and submitter wherever it is
shown.
"""

from .compatible import Kind, benchmark_code, figure, is_fit, kind_of, table
from .flags import Flag
from .power import Power
from .results import FINDINGS, NoResults, Result, read_tree

__all__ = [
    "FINDINGS",
    "Flag",
    "Kind",
    "NoResults",
    "Power",
    "Result",
    "benchmark_code",
    "figure",
    "is_fit",
    "kind_of",
    "read_tree",
    "table",
]
