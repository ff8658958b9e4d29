"""The seven questions of the start page: short, each answered by one choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bitgoeul.kernel.text import N_, Text

from .errors import BadAnswer
from .types import Scalar


@dataclass(frozen=True)
class Option:
    """One choice: what is stored, its word, and a line of help."""

    value: Scalar
    label: Text
    hint: Text | None = None


@dataclass(frozen=True)
class Question:
    """A question, why it is asked, and its choices."""

    code: str
    text: Text
    why: Text
    options: tuple[Option, ...]

    def option(self, value: object) -> Option | None:
        """The choice that ``value`` (a stored value or its text in a form) names, or None."""
        return next((option for option in self.options if str(option.value) == str(value)), None)


def _option(value: Scalar, label: str, hint: str | None = None) -> Option:
    return Option(value, Text(label), Text(hint) if hint else None)


QUESTIONS: tuple[Question, ...] = (
    Question(
        "organisation_kind",
        Text(N_("What kind of organisation are you?")),
        Text(N_("Some calls are only for companies, others only for universities and institutes.")),
        (
            _option("START_UP", N_("Start-up")),
            _option("SME", N_("Small or medium-sized company")),
            _option("MID_SIZE", N_("Mid-size company")),
            _option("FABLESS", N_("Fabless chip company")),
            _option("UNIVERSITY", N_("University")),
            _option("INSTITUTE", N_("Research institute")),
            _option("none", N_("Not registered yet"), N_("Register your business first; the plan shows how.")),
        ),
    ),
    Question(
        "based_in",
        Text(N_("Where are you based?")),
        Text(N_("Companies based in Gwangju pay half the fee.")),
        (
            _option("gwangju", N_("Gwangju")),
            _option("region", N_("Elsewhere in Korea, outside the capital region")),
            _option("capital", N_("Capital region")),
            _option("abroad", N_("Outside Korea")),
        ),
    ),
    Question(
        "subject_kind",
        Text(N_("What do you want to try out?")),
        Text(N_("It decides which measurement is made.")),
        (
            _option(
                "chip", N_("An AI chip or its software"), N_("Runtime, compiler or a quantised model for it.")
            ),
            _option("model", N_("An AI model")),
            _option("service", N_("A service that uses an AI model")),
        ),
    ),
    Question(
        "have_now",
        Text(N_("What do you have today?")),
        Text(N_("A measurement needs something that can be run.")),
        (
            _option("model_file", N_("A model file (ONNX)")),
            _option("other_file", N_("A model in another format")),
            _option("board", N_("A board or card")),
            _option("idea", N_("An idea")),
        ),
    ),
    Question(
        "core_hours",
        Text(N_("How much computing do you need?")),
        Text(N_("A first measurement takes a few core-minutes.")),
        (
            _option(0, N_("I do not know yet"), N_("The plan then takes the usual amount.")),
            _option(2, N_("A first try: up to 2 core-hours")),
            _option(10, N_("A few rounds: up to 10 core-hours")),
            _option(100, N_("A series: up to 100 core-hours")),
        ),
    ),
    Question(
        "needed_within_days",
        Text(N_("When do you want to start?")),
        Text(N_("The plan tells you whether the call is fast enough.")),
        (
            _option(1, N_("Today or tomorrow")),
            _option(7, N_("Within a week")),
            _option(30, N_("Within a month")),
            _option(90, N_("Later")),
        ),
    ),
    Question(
        "result_for",
        Text(N_("Who should see the result?")),
        Text(N_("You decide it again for each trial; nothing is published without you.")),
        (
            _option("private", N_("Only us")),
            _option("named", N_("A named buyer")),
            _option("public", N_("Everybody"), N_("Only public evidence counts in the public figures.")),
        ),
    ),
)

BY_CODE: Mapping[str, Question] = {question.code: question for question in QUESTIONS}


def check_answer(code: str, value: object) -> Scalar:
    """The stored value of one answer; raises BadAnswer naming the question and the possible answers."""
    question = BY_CODE.get(code)
    if question is None:
        raise BadAnswer(
            N_("There is no question “{code}”."),
            field=code,
            code=code,
            remedy=Text(N_("The questions are: {codes}."), {"codes": ", ".join(BY_CODE)}),
        )
    option = question.option(value)
    if option is None:
        values = ", ".join(str(option.value) for option in question.options)
        raise BadAnswer(field=code, remedy=Text(N_("Choose one of: {values}."), {"values": values}))
    return option.value


def check_answers(answers: Mapping[str, object]) -> dict[str, Scalar]:
    """Checked answers in the order of the questions; unanswered questions are left out, unknown ones refused."""
    checked = {code: check_answer(code, value) for code, value in answers.items()}
    return {code: checked[code] for code in BY_CODE if code in checked}
