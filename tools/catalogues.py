"""Compiles catalogues (.po) named on the command line into what Django reads (.mo). Runs in the environment."""

from __future__ import annotations

import sys
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po


def compile_catalogue(source: Path) -> Path:
    """Write the ``.mo`` beside ``source``, leaving out fuzzy entries; returns its path."""
    with source.open("rb") as file:
        catalogue = read_po(file, locale=source.parts[-3])
    target = source.with_suffix(".mo")
    draft = source.with_suffix(".mo.new")
    with draft.open("wb") as file:
        write_mo(file, catalogue, use_fuzzy=False)
    draft.replace(target)
    return target


if __name__ == "__main__":
    for name in sys.argv[1:]:
        compile_catalogue(Path(name))
