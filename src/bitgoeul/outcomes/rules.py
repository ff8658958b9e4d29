"""Reading the data files and deciding what counts: pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import ValidationError

from bitgoeul.kernel.canonical import digest
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_, Text
from bitgoeul.programmes.types import Data

from .types import CountRule, EvidenceFacts, FiguresFile, IndicatorData, IndicatorsFile

D = TypeVar("D", bound=Data)


class BadFigures(BadInput):
    """These figures cannot be loaded."""

    code = "bad_figures"


DEFAULT_TEXTS = (N_("These figures cannot be loaded."),)


def parse_figures(data: Mapping[str, object]) -> FiguresFile:
    """Read the file of reported figures; raises BadFigures naming the place."""
    return _parse(FiguresFile, data)


def parse_indicators(data: Mapping[str, object]) -> IndicatorsFile:
    """Read the file of indicators; raises BadFigures naming the place."""
    return _parse(IndicatorsFile, data)


def _parse(kind: type[D], data: Mapping[str, object]) -> D:
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "file"
        raise BadFigures(
            N_("The figures cannot be read at “{place}”: {problem}."),
            field=place,
            place=place,
            problem=str(first["msg"]),
            remedy=Text(N_("Correct the data and load it again.")),
        ) from error


def counts(rule: CountRule, facts: EvidenceFacts | None) -> bool:
    """Whether a piece of evidence counts now; None stands for what is not public or not valid any more."""
    return (
        facts is not None
        and facts.visibility == rule.filter.visibility
        and facts.verdict == rule.filter.verdict
        and facts.protocol == rule.filter.protocol
    )


def rule_digest(indicator: IndicatorData) -> str:
    """The SHA-256 by which a version of an indicator is named."""
    return digest(indicator.model_dump(mode="json"))
