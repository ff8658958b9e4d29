"""Sweeps: one request at many points of its parameters. Pure.

A point gives each parameter a value; the job at it has them as variables of its environment, and in its command
``{name}`` stands for the value.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_

from .rules import JOBS_MAX, OWN_PREFIX, VARIABLE
from .types import JobRequest

PARAMETERS_MAX = 16
VALUE_MAX = 200
LINE = re.compile(r"\s*([^=\s]+)\s*=(.*)")


@dataclass(frozen=True)
class Points:
    """Names of the parameters, and for each job their values in the same order."""

    names: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.values)

    def at(self, index: int) -> dict[str, str]:
        """The values of one point by name."""
        return dict(zip(self.names, self.values[index], strict=True))


def grid(parameters: Mapping[str, Sequence[str]]) -> Points:
    """Every combination of the values, the last parameter changing fastest; raises BadInput."""
    count = 1
    for values in parameters.values():
        count *= len(values)
    _check_count(count)
    return checked(Points(tuple(parameters), tuple(product(*parameters.values()))))


def listed(points: Sequence[Mapping[str, str]]) -> Points:
    """The points as they are given, each with the same names; raises BadInput."""
    names = tuple(points[0]) if points else ()
    if any(set(point) != set(names) for point in points):
        raise BadInput(N_("Each point must give a value to the same parameters."), field="parameters")
    return checked(Points(names, tuple(tuple(point[name] for name in names) for point in points)))


def read_lines(text: str) -> Points:
    """A grid written as lines ``name = 1, 2, 3``; raises BadInput that names the line."""
    found: dict[str, list[str]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        read = read_line(line)
        if read is None or read[0] in found:
            raise BadInput(
                N_("Line {number} must say a new name and its values: name = 1, 2, 3"),
                field="parameters",
                number=number,
            )
        found[read[0]] = read[1]
    return grid(found)


def read_line(line: str) -> tuple[str, list[str]] | None:
    """The name and the values of ``name = 1, 2, 3``, without the blanks around them; None for another line."""
    parts = LINE.fullmatch(line)
    return None if parts is None else (parts[1], [value.strip() for value in parts[2].split(",") if value.strip()])


def read_table(text: str) -> Points:
    """Points written as a table, raises BadInput that names the line.

    The names stand in the first line and a point in each below, cells apart by tabs, as a spreadsheet copies them,
    or by commas. Blank lines are passed over, and counted.
    """
    rows = list(_rows(text))
    if not rows:
        return checked(Points((), ()))
    (_, names), *rest = rows
    for number, point in rest:
        if len(point) != len(names):
            raise BadInput(
                N_("Line {number} must give {count} values, one for each name in the first line."),
                field="parameters",
                number=number,
                count=len(names),
            )
    return checked(Points(names, tuple(point for _, point in rest)))


def _rows(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The rows of a table that are not blank, each with the number of the line that it begins in."""
    lines = text.splitlines(keepends=True)
    first = next((line for line in lines if line.strip()), "")
    # Not strict, an open quotation would swallow the lines below it without a word.
    rows = csv.reader(lines, delimiter="\t" if "\t" in first else ",", skipinitialspace=True, strict=True)
    begins = 1
    try:
        for row in rows:
            if lines[begins - 1].strip():
                yield begins, tuple(cell.strip() for cell in row)
            begins = rows.line_num + 1
    except csv.Error as error:
        raise BadInput(
            N_("Line {number} cannot be read: a quotation in it may be open, or a value is too long."),
            field="parameters",
            number=begins,
        ) from error


def checked(points: Points) -> Points:
    """The same when it can be run; raises BadInput."""
    if not 1 <= len(points.names) <= PARAMETERS_MAX or len(set(points.names)) != len(points.names):
        raise BadInput(
            N_("Give 1 to {limit} parameters, each name once."), field="parameters", limit=PARAMETERS_MAX
        )
    for name in points.names:
        if not VARIABLE.fullmatch(name) or name.startswith(OWN_PREFIX):
            raise BadInput(
                N_("“{name}” cannot be a parameter: use letters, digits and _, and not BITGOEUL_."),
                field="parameters",
                name=name,
            )
    _check_count(len(points))
    for values in points.values:
        for name, value in zip(points.names, values, strict=True):
            if len(value) > VALUE_MAX or "\0" in value:
                raise BadInput(
                    N_("A value of “{name}” is longer than {limit} characters."),
                    field="parameters",
                    name=name,
                    limit=VALUE_MAX,
                )
    return points


def _check_count(count: int) -> None:
    if not 1 <= count <= JOBS_MAX:
        raise BadInput(
            N_("A sweep is of 1 to {limit} jobs; these parameters make {count}."),
            field="parameters",
            limit=JOBS_MAX,
            count=count,
        )


def request_at(request: JobRequest, values: Mapping[str, str]) -> JobRequest:
    """The request at one point; raises BadInput for a parameter that is a variable of the request already."""
    if twice := sorted(set(values) & set(request.env)):
        raise BadInput(N_("“{name}” is a variable of the job already."), field="parameters", name=twice[0])
    return replace(request, argv=words_at(request.argv, values), env={**request.env, **values})


def words_at(argv: Sequence[str], values: Mapping[str, str]) -> tuple[str, ...]:
    """A command with the values in the places ``{name}``; a value is not read again."""
    place = re.compile("|".join(re.escape(f"{{{name}}}") for name in values))
    return tuple(place.sub(lambda found: values[found[0][1:-1]], word) for word in argv)
