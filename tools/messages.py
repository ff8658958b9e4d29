"""Message catalogues: find every English message id, see that Korean has it, and compile.

    python tools/messages.py check            every msgid has a Korean translation; exit 1 names what is missing
    python tools/messages.py missing [room]   the missing entries as a .po to paste and translate
    python tools/messages.py update [room]    add missing entries, empty, to the room's catalogue or to all
    python tools/messages.py compile          write the .mo files

A translation may stand in the catalogue of any room; kernel and the plug-ins, which are not Django apps,
have theirs in the site's. Texts come from templates, from gettext calls, from ``N_`` and from the first
docstring line of refusals, which is their default text.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.pofile import read_po, write_po

from catalogues import compile_catalogue

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "bitgoeul"
LOCALE = "ko"
KEYWORDS = {
    **DEFAULT_KEYWORDS,
    "N_": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
# Without an app of their own: their catalogue is the site's.
HOMELESS = frozenset({"kernel", "web", "protocols", "targets", "engines", "documents", "telemetry"})
PLACE = re.compile(r"%\((\w+)\)[sd]|\{(\w+)\}")


@dataclass
class Found:
    """One message id of the source: its plural, its context and where it is used."""

    msgid: str
    plural: str | None = None
    context: str | None = None
    places: list[str] = field(default_factory=list)
    rooms: set[str] = field(default_factory=set)


Key = tuple[str | None, str]


def room_of(path: Path, source: Path) -> str:
    """The room whose catalogue the file's texts belong to."""
    room = path.relative_to(source).parts[0]
    return "site" if room in HOMELESS or room.endswith(".py") else room


def template_code(path: Path) -> bytes:
    """A template as the Python-like code that Django's own extraction makes of it."""
    from django.utils.translation.template import templatize

    return templatize(path.read_text(encoding="utf-8"), origin=str(path)).encode()


def texts_of(path: Path) -> Iterator[tuple[int, str, str | None, str | None]]:
    """Every (line, msgid, plural, context) of one file."""
    code = template_code(path) if path.suffix in {".html", ".txt"} else path.read_bytes()
    for line, message, _, context in extract("python", BytesIO(code), keywords=KEYWORDS):
        ids = message if isinstance(message, tuple) else (message, None)
        if ids[0]:
            yield line, ids[0], ids[1] if len(ids) > 1 else None, context


def refusals(trees: Mapping[Path, ast.Module]) -> Iterator[tuple[Path, int, str]]:
    """The default text of every class that descends, by name, from DomainError."""
    classes = [(path, n) for path, tree in trees.items() for n in ast.walk(tree) if isinstance(n, ast.ClassDef)]
    names = {"DomainError"}
    while True:
        grown = names | {n.name for _, n in classes if any(_name(base) in names for base in n.bases)}
        if grown == names:
            break
        names = grown
    for path, node in classes:
        text = ast.get_docstring(node) if node.name in names else None
        if text:
            yield path, node.lineno, text.strip().splitlines()[0]


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def collect(source: Path = SOURCE) -> dict[Key, Found]:
    """Every message id below ``source`` with its places."""
    found: dict[Key, Found] = {}

    def add(path: Path, line: int, msgid: str, plural: str | None = None, context: str | None = None) -> None:
        entry = found.setdefault((context, msgid), Found(msgid, plural, context))
        entry.plural = entry.plural or plural
        entry.places.append(f"{path.relative_to(source.parent)}:{line}")
        entry.rooms.add(room_of(path, source))

    modules = [p for p in sorted(source.rglob("*.py")) if "migrations" not in p.parts]
    templates = [p for p in sorted(source.rglob("templates/**/*")) if p.suffix in {".html", ".txt"}]
    for path in [*modules, *templates]:
        for line, msgid, plural, context in texts_of(path):
            add(path, line, msgid, plural, context)
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in modules}
    for path, line, text in refusals(trees):
        add(path, line, text)
    return found


def catalogue_path(room: str, source: Path = SOURCE) -> Path:
    """Where a room keeps its Korean."""
    return source / room / "locale" / LOCALE / "LC_MESSAGES" / "django.po"


def catalogues(source: Path = SOURCE) -> dict[Path, Catalog]:
    """Every Korean catalogue."""
    loaded = {}
    for path in sorted(source.glob(f"*/locale/{LOCALE}/LC_MESSAGES/django.po")):
        with path.open("rb") as file:
            loaded[path] = read_po(file, locale=LOCALE, abort_invalid=True)
    return loaded


def translated(loaded: Mapping[Path, Catalog]) -> dict[Key, str]:
    """Every finished translation, the plural ones by their only Korean form."""
    known: dict[Key, str] = {}
    for catalogue in loaded.values():
        for message in catalogue:
            msgid = message.id[0] if isinstance(message.id, (tuple, list)) else message.id
            text = message.string[0] if isinstance(message.string, (tuple, list)) else message.string
            if msgid and text and not message.fuzzy:
                known.setdefault((message.context, msgid), text)
    return known


def ambiguous(loaded: Mapping[Path, Catalog]) -> dict[Key, set[str]]:
    """Messages that two rooms translate differently: Django would show one of the two in both places.

    A message context (``pgettext``, ``{% translate … context … %}``) or another English tells them apart.
    """
    seen: dict[Key, set[str]] = {}
    for path, catalogue in loaded.items():
        for key, text in translated({path: catalogue}).items():
            seen.setdefault(key, set()).add(text)
    return {key: texts for key, texts in seen.items() if len(texts) > 1}


def places(text: str) -> set[str]:
    """The names a text leaves open."""
    return {a or b for a, b in PLACE.findall(text)}


def problems(source: Path = SOURCE) -> list[str]:
    """What keeps the Korean from being complete: one line each, with where the text is used."""
    found, loaded = collect(source), catalogues(source)
    known = translated(loaded)
    lines = [f"no Korean: {entry.msgid!r} ({entry.places[0]})" for key, entry in found.items() if key not in known]
    for key, entry in found.items():
        allowed = places(entry.msgid) | places(entry.plural or "")
        extra = places(known.get(key, "")) ^ allowed if key in known else set()
        if extra and not (entry.plural and extra <= allowed):
            lines.append(f"other places {sorted(extra)}: {entry.msgid!r} ({entry.places[0]})")
    lines += [f"two Koreans: {key[1]!r} ({', '.join(sorted(texts))})" for key, texts in ambiguous(loaded).items()]
    for path, catalogue in loaded.items():
        fuzzy = [str(message.id) for message in catalogue if message.id and message.fuzzy]
        lines += [f"fuzzy: {msgid!r} ({path.relative_to(source.parent)})" for msgid in fuzzy]
    return lines


def missing(room: str | None = None, source: Path = SOURCE) -> Catalog:
    """The untranslated messages of a room, or of all, as a catalogue."""
    known = translated(catalogues(source))
    rest = Catalog(locale=LOCALE, fuzzy=False)
    for key, entry in collect(source).items():
        if key not in known and (room is None or room in entry.rooms):
            msgid = (entry.msgid, entry.plural) if entry.plural else entry.msgid
            rest.add(msgid, context=entry.context, locations=[_location(place) for place in entry.places])
    return rest


def _location(place: str) -> tuple[str, int]:
    path, line = place.rsplit(":", 1)
    return path, int(line)


def update(room: str) -> int:
    """Add the room's missing messages to its catalogue, empty; returns how many."""
    path = catalogue_path(room)
    path.parent.mkdir(parents=True, exist_ok=True)
    catalogue = catalogues().get(path) or Catalog(locale=LOCALE, fuzzy=False)
    rest = [message for message in missing(room) if message.id]
    if not rest:
        return 0
    for message in rest:
        catalogue.add(message.id, context=message.context, locations=message.locations)
    with path.open("wb") as file:
        write_po(file, catalogue, width=110, sort_output=False, include_previous=False)
    return len(rest)


def compile_all(source: Path = SOURCE) -> list[Path]:
    """Write the .mo beside each .po; returns what was written."""
    return [compile_catalogue(path) for path in sorted(source.glob(f"*/locale/{LOCALE}/LC_MESSAGES/django.po"))]


def rooms(source: Path = SOURCE) -> list[str]:
    """The rooms that may keep a catalogue."""
    return sorted(path.parent.name for path in source.glob("*/apps.py"))


def main(argv: list[str] | None = None) -> int:
    """Run one command; exit status 0 done, 1 findings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs="?", default="update", choices=["check", "missing", "update", "compile"])
    parser.add_argument("room", nargs="?")
    options = parser.parse_args(argv)
    if options.command == "check":
        lines = problems()
        print("\n".join(lines) if lines else "every message has its Korean")
        return 1 if lines else 0
    if options.command == "missing":
        write_po(sys.stdout.buffer, missing(options.room), width=110, omit_header=True)
        return 0
    if options.command == "update":
        for room in [options.room] if options.room else rooms():
            count = update(room)
            print(f"{room}: {count} to translate")
        return 0
    print(f"{len(compile_all())} catalogues compiled")
    return 0


if __name__ == "__main__":
    sys.exit(main())
