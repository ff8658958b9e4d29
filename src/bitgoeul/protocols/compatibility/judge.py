"""The judge: record → verdict. Pure and repeatable; thresholds come from the protocol's data.

Order of questions: can the record be read, is it of this protocol and this suite, did the referee hold (INVALID
otherwise); did the stack start (FAILED by name); do the counts add up (INVALID otherwise); do the light models and
the required operators run (FAILED otherwise); and what must be said beside it (WARNED).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from bitgoeul.kernel.text import N_, Text
from bitgoeul.protocols.compatibility.record import GOOD, SCHEMA, Result, counted
from bitgoeul.protocols.identity import engine, identity
from bitgoeul.protocols.reading import Damaged, get
from bitgoeul.trials.ports import Fault, Json, Outcome, Reason, Verdict

NODE, LIGHT = "node", "light"
NAMES_MAX = 12
STACK_TEXTS: Mapping[str, str] = {
    Fault.NOT_A_STACK: N_("The file does not name a stack: {detail}"),
    Fault.NOT_READY: N_("The stack did not start: {detail}"),
    Fault.CRASHED: N_("The stack crashed while it started: {detail}"),
    Fault.MALFORMED: N_("The stack does not say properly what it is: {detail}"),
}
STACK_OTHER = N_("The stack failed: {detail}")
REFEREE_TEXTS: Mapping[str, str] = {
    "input_missing": N_("An input file is missing, so nothing was measured: {detail}"),
    "input_damaged": N_("An input file is not the one that was ordered, so nothing was measured: {detail}"),
    "not_ready": N_("The stack is not installed here as the file names it, so nothing was tried: {detail}"),
    "suite_missing": N_("The suite could not be written, so nothing was tried: {detail}"),
    "suite_differs": N_("The suite is not the one that the protocol names, so nothing was tried: {detail}"),
    "canary_missed": N_(
        "The reference evaluator does not pass its own suite here ({detail}), so nothing was tried."
    ),
}
REFEREE_OTHER = N_("The measuring program itself failed, so the measurement cannot be relied on: {detail}")
BESIDE: Mapping[Result, str] = {
    Result.WRONG: N_("{count} cases were answered wrongly; a wrong answer is worse than a refusal."),
    Result.CRASHED: N_("{count} cases ended the process."),
    Result.TIMED_OUT: N_("{count} cases were not answered in time."),
}
NONE_BESIDE: Mapping[Result, str] = {
    Result.WRONG: N_("No case was answered wrongly."),
    Result.CRASHED: N_("No case ended the process."),
    Result.TIMED_OUT: N_("Every case was answered in time."),
}


def judge(record: Json, definition: Json, attempts: int) -> Verdict:
    """The verdict on one record under one protocol version, given how many attempts were made."""
    text = Text(N_("This is the result of {count} attempt(s) so far."), {"count": attempts})
    told = Reason("attempts", None, text, str(attempts))
    try:
        outcome, reasons = _judge(record, definition)
    except Damaged as damage:
        text = Text(N_("The record is damaged or incomplete at “{where}”."), {"where": damage.where})
        outcome, reasons = Outcome.INVALID, [Reason("record", False, text)]
    return Verdict(outcome, (*reasons, told))


def _judge(record: Json, definition: Json) -> tuple[Outcome, list[Reason]]:
    reasons = [identity(record, definition, SCHEMA), engine(record, definition)]
    finding = get(record, "finding", dict, optional=True)
    if finding is not None:
        outcome, reason = _finding(finding)
        sound = all(each.passed for each in reasons)
        return (outcome if sound else Outcome.INVALID), [*reasons, reason]
    reasons += [_inputs(record), _suite(record, definition), _canary(record, definition)]
    groups = _groups(record)
    reasons.append(_sums(record, definition, groups))
    if any(reason.passed is False for reason in reasons):
        return Outcome.INVALID, reasons
    hard = [_light(groups), _required(groups, definition)]
    beside = [_complete(groups, definition), *_beside(groups, definition)]
    reasons += [_passed(groups), *hard, *beside, *_models(record)]
    if any(reason.passed is False for reason in hard):
        return Outcome.FAILED, reasons
    warned = any(reason.passed is False for reason in reasons)
    return (Outcome.WARNED if warned else Outcome.PASSED), reasons


def _inputs(record: Json) -> Reason:
    seen = {entry.get("digest") for entry in get(record, "inputs", list) if isinstance(entry, dict)}
    fits = seen == {get(record, "subject.digest", str)}
    return Reason("inputs", fits, Text(
        N_("Every input file has the digest that was ordered.") if fits
        else N_("An input file does not have the digest that was ordered.")
    ))  # fmt: skip


def _finding(finding: Json) -> tuple[Outcome, Reason]:
    code, detail, step = (get(finding, name, str) for name in ("code", "detail", "step"))
    if get(finding, "party", str) == "subject":
        text = Text(STACK_TEXTS.get(code, STACK_OTHER), {"detail": detail})
        return Outcome.FAILED, Reason(f"subject.{code}", False, text, step)
    text = Text(REFEREE_TEXTS.get(code, REFEREE_OTHER), {"detail": detail})
    return Outcome.INVALID, Reason(f"harness.{code}", False, text, step)


def _suite(record: Json, definition: Json) -> Reason:
    wanted = definition["suite"]
    told = get(record, "suite", dict)
    fits = (
        get(told, "case_list_digest", str) == wanted["case_list_digest"]
        and get(told, "cases", int) == wanted["cases"]
        and len(get(told, "left_out", list)) == wanted["left_out"]
    )
    text = (
        Text(N_("All {cases} cases of {package} were run, {left_out} were left out."), {
            "cases": wanted["cases"], "package": wanted["package"], "left_out": wanted["left_out"],
        })
        if fits
        else Text(N_("The cases are not those that the protocol names."))
    )  # fmt: skip
    return Reason("suite", fits, text, str(told["cases"]), str(wanted["cases"]))


def _canary(record: Json, definition: Json) -> Reason:
    wanted = definition["validity"]["canary_cases"]
    passed = get(record, "canary.passed", list)
    hit = sorted(map(str, passed)) == sorted(wanted)
    text = N_("The reference evaluator passed its own suite first.") if hit else N_(
        "The reference evaluator does not pass its own suite."
    )  # fmt: skip
    return Reason("canary", hit, Text(text), str(len(passed)), str(len(wanted)))


Groups = list[tuple[str, str, int, str]]


def _groups(record: Json) -> Groups:
    known, read = set(map(str, Result)), []
    for number, group in enumerate(get(record, "groups", list)):
        fits = isinstance(group, list) and [type(part) for part in group] == [str, str, int, str]
        if not fits or not group[3] or not set(group[3]) <= known:
            raise Damaged(f"groups.{number}")
        read.append((group[0], group[1], group[2], group[3]))
    return read


def _sums(record: Json, definition: Json, groups: Groups) -> Reason:
    """One letter for every case, each group once, and the record's own sums."""
    letters = "".join(group[3] for group in groups)
    keys = [group[:3] for group in groups]
    told = get(record, "counts", dict)
    fits = (
        len(letters) == definition["suite"]["cases"]
        and keys == sorted(set(keys))
        and told == counted(letters)
        and len(get(record, "details", list)) + get(record, "details_left_out", int)
        == sum(letter not in GOOD for letter in letters)
    )
    text = N_("Every case has one result, and the sums agree.") if fits else N_(
        "The results do not add up to one for every case."
    )  # fmt: skip
    return Reason("sums", fits, Text(text), str(len(letters)), str(definition["suite"]["cases"]))


def _passed(groups: Groups) -> Reason:
    letters = "".join(group[3] for group in groups)
    good = sum(letter in GOOD for letter in letters)
    adapted, refused = letters.count(Result.ADAPTED), letters.count(Result.REFUSED)
    text = Text(
        N_(
            "{good} of {all} cases pass, {adapted} of them with NumPy scalars given as tensors; "
            "{refused} are refused."
        ),
        {"good": good, "all": len(letters), "adapted": adapted, "refused": refused},
    )
    return Reason("cases", None, text, str(good), str(len(letters)))


def _light(groups: Groups) -> Reason:
    bad = sorted(operator for part, operator, _, letters in groups if part == LIGHT and not set(letters) <= GOOD)
    count = sum(len(letters) for part, _, _, letters in groups if part == LIGHT)
    text = (
        Text(N_("Light models that do not run as they should: {names}."), {"names": ", ".join(bad)})
        if bad
        else Text(N_("All {count} light models run and answer as they should."), {"count": count})
    )
    return Reason("light_models", not bad, text, str(count - len(bad)), str(count))


def _shares(groups: Groups, definition: Json) -> dict[str, tuple[int, int]]:
    """Each required operator: node cases passed, node cases in all."""
    good: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for part, operator, _, letters in groups:
        if part == NODE:
            good[operator] += sum(letter in GOOD for letter in letters)
            total[operator] += len(letters)
    return {name: (good[name], total[name]) for name in definition["acceptance"]["required_operators"]}


def _required(groups: Groups, definition: Json) -> Reason:
    limit = definition["acceptance"]["required_passed_permille_min"]
    shares = _shares(groups, definition)
    bad = [
        f"{name} {good}/{total}"
        for name, (good, total) in shares.items()
        if 1000 * good < limit * total or not total
    ]
    told: dict[str, str | int] = {"names": _some(bad), "limit": f"{limit // 10} %", "count": len(shares)}
    text = (
        Text(N_("Required operators of which fewer than {limit} of the cases pass: {names}."), told)
        if bad
        else Text(N_("All {count} required operators run in at least {limit} of their cases."), told)
    )
    return Reason("required_operators", not bad, text, str(len(shares) - len(bad)), str(len(shares)))


def _complete(groups: Groups, definition: Json) -> Reason:
    shares = _shares(groups, definition)
    part = [f"{name} {good}/{total}" for name, (good, total) in shares.items() if good < total]
    text = (
        Text(N_("Required operators that do not run in every case: {names}."), {"names": _some(part)})
        if part
        else Text(N_("Every required operator runs in every case."))
    )
    return Reason("required_complete", not part, text, str(len(shares) - len(part)), str(len(shares)))


def _beside(groups: Groups, definition: Json) -> list[Reason]:
    found = Counter("".join(group[3] for group in groups))
    reasons = []
    for result, name in ((Result.WRONG, "wrong"), (Result.CRASHED, "crashed"), (Result.TIMED_OUT, "timed_out")):
        count, limit = found[result], definition["acceptance"][f"{name}_max"]
        fits = count <= limit
        text = Text(BESIDE[result], {"count": count}) if count else Text(NONE_BESIDE[result])
        reasons.append(Reason(name, fits, text, str(count), str(limit)))
    return reasons


def _models(record: Json) -> list[Reason]:
    """The subject's own models; nothing is said when it brought none."""
    models = get(record, "models", list)
    if not models:
        return []
    bad = [get(model, "name", str) for model in models if get(model, "result", str) not in GOOD]
    told: dict[str, Any] = {"count": len(models), "good": len(models) - len(bad), "names": _some(bad)}
    text = (
        Text(N_("Of the {count} models brought along, these do not run: {names}."), told)
        if bad
        else Text(N_("All {count} models brought along load and run."), told)
    )
    return [Reason("own_models", not bad, text, str(told["good"]), str(told["count"]))]


def _some(names: list[str]) -> str:
    more = f" … +{len(names) - NAMES_MAX}" if len(names) > NAMES_MAX else ""
    return ", ".join(names[:NAMES_MAX]) + more
