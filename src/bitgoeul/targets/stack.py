"""A stack: a target with its options and versions, as the file that a trial's subject is.

The file is canonical JSON, or a ZIP with that as ``stack.json`` and the vendor's own models under ``models/``::

    {"schema": "bitgoeul.stack/1", "target": "onnxruntime", "options": {"provider": "CPUExecutionProvider"},
     "packages": {"onnxruntime": "1.31.1"}}

It is read only in the measuring child.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath

from bitgoeul.kernel.canonical import canonical_bytes, loads_strict
from bitgoeul.kernel.errors import DomainError
from bitgoeul.trials.ports import Fault, SubjectFault

SCHEMA = "bitgoeul.stack/1"
DESCRIPTOR = "stack.json"
DESCRIPTOR_BYTES_MAX = 64 * 1024
FILE_BYTES_MAX = 64 * 2**20
MODELS_MAX = 50
MODEL_BYTES_MAX = 64 * 2**20
MODELS_BYTES_MAX = 256 * 2**20
# A fixed moment: the same models in the same stack give the same bytes, and so the same digest.
ZIP_MOMENT = (2020, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Stack:
    """The target's code, its options, and the versions of packages that it was put together with."""

    target: str
    options: Mapping[str, str]
    packages: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """The descriptor as plain JSON."""
        return {
            "schema": SCHEMA, "target": self.target, "options": dict(self.options),
            "packages": dict(self.packages),
        }  # fmt: skip


def stack_file(stack: Stack, models: Sequence[Path] = ()) -> bytes:
    """The file of a stack with its own models; the same stack and models give the same bytes."""
    descriptor = canonical_bytes(stack.to_json()) + b"\n"
    if not models:
        return descriptor
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(DESCRIPTOR, ZIP_MOMENT), descriptor)
        for model in sorted(models, key=lambda path: path.name):
            archive.writestr(zipfile.ZipInfo(f"models/{model.name}", ZIP_MOMENT), model.read_bytes())
    return buffer.getvalue()


def read_stack(path: Path, folder: Path) -> tuple[Stack, list[Path]]:
    """The stack in the file, its models written into ``folder``; raises SubjectFault (NOT_A_STACK)."""
    data = path.read_bytes()[: FILE_BYTES_MAX + 1]
    if len(data) > FILE_BYTES_MAX:
        raise _refused(f"the file has more than {FILE_BYTES_MAX // 2**20} MiB")
    if not data.startswith(b"PK"):
        return _descriptor(data), []
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _descriptor(_member(archive, DESCRIPTOR, DESCRIPTOR_BYTES_MAX)), _models(archive, folder)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, EOFError) as error:
        raise _refused(f"the ZIP file cannot be read ({error})") from error


def check_packages(stack: Stack) -> None:
    """Raise SubjectFault (NOT_READY) unless the installed packages are those that the stack names."""
    for name, wanted in sorted(stack.packages.items()):
        try:
            found = version(name)
        except PackageNotFoundError:
            found = "none"
        if found != wanted:
            raise SubjectFault(Fault.NOT_READY, f"the stack names {name} {wanted}; installed here is {found}")


def _descriptor(data: bytes) -> Stack:
    if len(data) > DESCRIPTOR_BYTES_MAX:
        raise _refused(f"the descriptor has more than {DESCRIPTOR_BYTES_MAX // 1024} KiB")
    try:
        told = loads_strict(data)
    except DomainError as error:
        raise _refused(f"the descriptor is not JSON ({error.text})") from error
    if not isinstance(told, Mapping) or told.get("schema") != SCHEMA:
        raise _refused(f"the descriptor's schema is not {SCHEMA}")
    extra = sorted(told.keys() - {"schema", "target", "options", "packages"})
    if extra:
        raise _refused(f"the descriptor has “{extra[0]}”, which no stack has")
    target = told.get("target")
    if not isinstance(target, str) or not target.isprintable() or not 0 < len(target) <= 64:
        raise _refused("the descriptor names no target")
    return Stack(target, _texts(told, "options"), _texts(told, "packages"))


def _texts(told: Mapping[str, object], name: str) -> dict[str, str]:
    found = told.get(name, {})
    if not isinstance(found, Mapping) or not all(isinstance(each, str) for each in found.values()):
        raise _refused(f"the descriptor's {name} are not names with texts")
    return {str(key): str(value) for key, value in found.items()}


def _models(archive: zipfile.ZipFile, folder: Path) -> list[Path]:
    names = [info.filename for info in archive.infolist() if info.filename != DESCRIPTOR and not info.is_dir()]
    if len(names) > MODELS_MAX:
        raise _refused(f"the file has more than {MODELS_MAX} models")
    written, left = [], MODELS_BYTES_MAX
    for name in sorted(names):
        place = PurePosixPath(name)
        if place.parent != PurePosixPath("models") or not place.name.isprintable() or len(place.name) > 120:
            raise _refused(f"“{name[:120]}” is no file directly under models/")
        data = _member(archive, name, min(MODEL_BYTES_MAX, left))
        left -= len(data)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / place.name
        path.write_bytes(data)
        written.append(path)
    return written


def _member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """A member's bytes, read no further than the limit, whatever size the archive claims."""
    with archive.open(name) as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise _refused(f"{name[:120]} is larger than {limit} bytes")
    return data


def _refused(detail: str) -> SubjectFault:
    return SubjectFault(Fault.NOT_A_STACK, detail)
