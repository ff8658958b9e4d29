"""What a trial needs from outside: protocol plug-ins and targets. Pure; no Django.

A **protocol plug-in** (entry point group ``bitgoeul.protocols``) says what is measured and judges the record.
A **target** (entry point group ``bitgoeul.targets``, named by its code) is a chip with its software, as its vendor
plugs it in: it describes itself, loads a model and answers batches.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from bitgoeul.kernel.text import Text

if TYPE_CHECKING:
    import numpy as np

Json = Mapping[str, Any]


class Outcome(StrEnum):
    """What a judge says of a record. INVALID is not FAILED: it says nothing about the subject."""

    PASSED = "PASSED"
    WARNED = "WARNED"  # passed, and something must be said beside it
    FAILED = "FAILED"  # the subject did not do what the protocol asks
    INVALID = "INVALID"  # the measurement cannot be relied on


@dataclass(frozen=True)
class Reason:
    """One check of a verdict.

    ``check`` is a stable code, ``passed`` is None for what is only told, ``value`` and ``limit`` are plain
    decimal texts with their unit.
    """

    check: str
    passed: bool | None
    text: Text
    value: str | None = None
    limit: str | None = None


@dataclass(frozen=True)
class Verdict:
    """An outcome and every check behind it, in the order they were made."""

    outcome: Outcome
    reasons: tuple[Reason, ...]

    def failed(self) -> tuple[Reason, ...]:
        """The checks that did not hold."""
        return tuple(reason for reason in self.reasons if reason.passed is False)


@dataclass(frozen=True)
class Order:
    """What the platform tells the plug-in about one trial when it asks for the job.

    Digests are SHA-256 in hex; ``assets`` names the files of the protocol version.
    """

    trial_id: str
    attempt: int
    protocol_digest: str
    definition: Json
    parameters: Json
    subject_kind: str
    subject_digest: str
    assets: Mapping[str, str]


@dataclass(frozen=True)
class JobPlan:
    """The job that measures one trial.

    ``files`` are written for this job (name → bytes), ``inputs`` are blobs already stored (name → digest),
    both into the job's own directory, where ``outputs`` are expected afterwards. ``expected_seconds`` is an
    honest guess for the form; ``wall_seconds`` is the limit that is held and enforced.
    """

    argv: tuple[str, ...]
    files: Mapping[str, bytes]
    inputs: Mapping[str, str]
    outputs: tuple[str, ...]
    cores: int
    memory_mib: int
    wall_seconds: int
    processes: int
    file_mib: int
    expected_seconds: int
    devices: Mapping[str, int] = field(default_factory=dict)


class ProtocolPlugin(Protocol):
    """One protocol. Loaded by entry point; the built-in ones come through the same door."""

    code: str

    def asset_files(self, directory: Path) -> Mapping[str, Path]:
        """The protocol's own files under ``directory``, made there if missing.

        Called at set-up, never in a web request. The same directory again gives the same bytes.
        """

    def definition(self, directory: Path) -> Json:
        """The versioned data: whole numbers and text only, the digests of its assets in it.

        Called at set-up after ``asset_files``; its canonical digest names the protocol version.
        """

    def check_parameters(self, definition: Json, raw: Json) -> Mapping[str, int]:
        """Parameters with their defaults, or BadInput naming the field. Called for every request."""

    def prepare(self, order: Order) -> JobPlan:
        """The job for one trial. Pure: called in the web process, so it never reads a subject's bytes."""

    def judge(self, record: Json, definition: Json, attempts: int) -> Verdict:
        """The verdict on a record. Pure and repeatable; called once for every judgement.

        A record that does not fit answers INVALID with a named reason; nothing else is raised for it.
        """


class Fault(StrEnum):
    """How a subject can fail to answer; each ends a trial by name within a bounded time."""

    NOT_A_MODEL = "not_a_model"
    NOT_A_STACK = "not_a_stack"
    UNSUPPORTED_OPERATOR = "unsupported_operator"
    WRONG_INPUT = "wrong_input"
    WRONG_OUTPUT = "wrong_output"
    NOT_READY = "not_ready"
    REFUSED = "refused"
    NO_ANSWER = "no_answer"
    CRASHED = "crashed"
    ANSWERED_TWICE = "answered_twice"
    LATE = "late"
    MALFORMED = "malformed"


THE_FILE = "the file"
# Two parts or more after a slash that begins a word. Names of a model's own nodes look alike and stay.
_PATH = re.compile(r"(?<![\w.~/])(?<!Name:')(?<!Node \()(?:/[^\s/:;,'\"()\[\]<>]+){2,}/?")


def without_paths(text: str) -> str:
    """``text`` with “the file” for every absolute path: what is signed tells nothing of the machine's folders.

    The working directory and the home directory are replaced whatever characters they have.
    """
    for place in (str(Path.cwd()), str(Path.home())):
        if len(place) > 1:
            text = re.sub(re.escape(place) + r"(?![\w.-])(?:/[^\s/:;,'\"()\[\]<>]+)*/?", THE_FILE, text)
    return _PATH.sub(THE_FILE, text)


def one_line(text: str) -> str:
    """A detail as it stands in a record: one line of at most 400 characters, without paths."""
    return " ".join(without_paths(text).split())[:400]


class SubjectFault(Exception):
    """The subject did something that ends its trial: a fault and one line of detail, never a traceback or path."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(f"{fault}: {detail}")
        self.fault = fault
        self.detail = one_line(detail)


@dataclass(frozen=True)
class Contract:
    """What a subject of the protocol takes and gives: float32 ``[n, columns_in]`` → float32 ``[n, columns_out]``.

    ``answer_limit_ms`` bounds a single answer (later is LATE), ``silence_limit_ms`` ends the wait for one.
    """

    columns_in: int
    columns_out: int
    answer_limit_ms: int
    silence_limit_ms: int


class Runner(Protocol):
    """A loaded subject, ready to answer. Lives in the measuring child only."""

    def one(self, index: int) -> np.ndarray[Any, Any]:
        """The scores for one sample of the library, float32 ``[1, columns_out]``; raises SubjectFault."""

    def batch(self, indices: Sequence[int]) -> np.ndarray[Any, Any]:
        """The scores for several samples in one go, float32 ``[len(indices), columns_out]``."""

    def close(self) -> None:
        """Called once after the last answer; raises SubjectFault for answers that nobody asked for."""


# What a target may say of itself; what it does not know it leaves out.
DESCRIBED = ("chip", "driver", "sdk", "firmware", "clocks")
DESCRIBED_CHARACTERS_MAX = 200

# One input or output of a model: a tensor, a list of values (ONNX sequence), or None (an optional without value).
Value = Any


class Loaded(Protocol):
    """A model that a target has loaded."""

    def infer(self, inputs: Sequence[Value]) -> Sequence[Value]:
        """One batch: the graph's inputs in its order, without those that are weights → its outputs in order."""

    def close(self) -> None:
        """Called once, after the last answer."""


class Target(Protocol):
    """A chip with its software. Made as ``factory(options)``; lives in a measuring child, never in web or worker.

    Whatever a method raises is a refusal with that message. The centre's own targets run inside the measuring
    child, everybody else's one process further, through the same methods.
    """

    def describe(self) -> Mapping[str, str]:
        """Some of ``DESCRIBED`` → one line of text; what is unknown is absent. Called once for every record."""

    def load(self, model: Path) -> Loaded:
        """Take the ONNX file ``model``, compiling it where the chip asks for that. May be called many times."""


@runtime_checkable
class Compiler(Protocol):
    """Ability of a target: a model can be compiled ahead, and what was compiled is what ``load`` gets."""

    def compile(self, model: Path, folder: Path) -> Path:
        """Compile ``model`` into ``folder``; the file that ``load`` then takes."""


@runtime_checkable
class Scaler(Protocol):
    """Ability of a target: it can use several boards."""

    def scale(self, boards: int) -> None:
        """Use so many boards for what is loaded from now on; raises when there are fewer."""


@runtime_checkable
class Telemetry(Protocol):
    """Ability of a target: readings of its own sensors."""

    def telemetry(self) -> Mapping[str, int]:
        """Whole numbers of this moment, each name ending in its unit, for example ``card_power_mw``."""


@runtime_checkable
class Timed(Protocol):
    """Ability of a target: a path of its own for samples that are timed one by one."""

    def open(self, path: Path, samples: np.ndarray[Any, Any], contract: Contract) -> Runner:
        """Load the subject at ``path`` for these samples (float32 ``[n, columns_in]``); raises SubjectFault."""

    def hop_ns(self) -> int:
        """The median cost of reaching a subject here, in ns, measured with a subject of our own; 0 in process."""


def described(told: object) -> dict[str, str]:
    """What a target said of itself, checked; raises SubjectFault (MALFORMED) naming what does not fit."""
    if not isinstance(told, Mapping):
        raise SubjectFault(Fault.MALFORMED, f"describe() gave {type(told).__name__}, a mapping was expected")
    for name, text in told.items():
        if name not in DESCRIBED:
            raise SubjectFault(Fault.MALFORMED, f"describe() told “{name}”; known are {', '.join(DESCRIBED)}")
        if not isinstance(text, str) or not text.strip() or not text.isprintable():
            raise SubjectFault(Fault.MALFORMED, f"describe(): “{name}” is not one line of text")
        if len(text) > DESCRIBED_CHARACTERS_MAX:
            raise SubjectFault(
                Fault.MALFORMED, f"describe(): “{name}” has more than {DESCRIBED_CHARACTERS_MAX} characters"
            )
    return {name: str(told[name]) for name in DESCRIBED if name in told}
