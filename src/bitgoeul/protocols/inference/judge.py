"""The judge: record → verdict. Pure and repeatable; thresholds come from the protocol's data.

Order of questions: can the record be read, is it of this protocol and these files, was the referee itself sound
(INVALID otherwise); did the subject answer at all (FAILED by name); is it accurate enough (paired); is every
scenario a valid measurement whose numbers agree with each other (INVALID otherwise).
"""

from __future__ import annotations

from collections.abc import Mapping

from bitgoeul.kernel.text import N_, Text
from bitgoeul.protocols.identity import engine, identity
from bitgoeul.protocols.inference.intervals import clopper_pearson_upper, paired_limit
from bitgoeul.protocols.inference.record import EDGES_NS, SCHEMA, flags
from bitgoeul.protocols.reading import Damaged, get
from bitgoeul.trials.ports import Fault, Json, Outcome, Reason, Verdict

FAULT_TEXTS: Mapping[str, str] = {
    Fault.NOT_A_MODEL: N_("The model cannot be read: {detail}"),
    Fault.NOT_A_STACK: N_("The file does not name a stack: {detail}"),
    Fault.UNSUPPORTED_OPERATOR: N_(
        "The model cannot be run: the operator “{detail}” is not a standard ONNX operator of this runtime. "
        "Export the model again with standard operators."
    ),
    Fault.WRONG_INPUT: N_("The model does not take the protocol's input: {detail}"),
    Fault.WRONG_OUTPUT: N_("The subject does not give the protocol's output: {detail}"),
    Fault.NOT_READY: N_("The subject's program did not become ready: {detail}"),
    Fault.REFUSED: N_("The target refused to answer: {detail}"),
    Fault.NO_ANSWER: N_("The subject stopped answering and was ended: {detail}"),
    Fault.CRASHED: N_("The subject crashed: {detail}"),
    Fault.ANSWERED_TWICE: N_("The subject answered a question twice: {detail}"),
    Fault.LATE: N_("The subject answered too late: {detail}"),
    Fault.MALFORMED: N_("The subject gave an answer that is no answer: {detail}"),
}
REFEREE_TEXTS: Mapping[str, str] = {
    "input_missing": N_("An input file is missing, so nothing was measured: {detail}"),
    "input_damaged": N_("An input file is not the one that was ordered, so nothing was measured: {detail}"),
    "library_damaged": N_("The sample library does not fit together, so nothing was measured: {detail}"),
    "canary_missed": N_(
        "The reference no longer answers as it did at set-up, so the measurement cannot be relied on."
    ),
}
REFEREE_OTHER = N_("The measuring program itself failed, so the measurement cannot be relied on: {detail}")

ACCURATE = N_(
    "Accurate enough: {lost} of {samples} samples were right in FP32 and wrong here; with {confidence} confidence "
    "that is at most {bound}, and {limit} is allowed."
)
INACCURATE = N_(
    "Not accurate enough: {lost} of {samples} samples were right in FP32 and wrong here; with {confidence} "
    "confidence that is up to {bound}, and {limit} is allowed."
)


def judge(record: Json, definition: Json, attempts: int) -> Verdict:
    """The verdict on one record under one protocol version, given how many attempts were made."""
    counted = Reason(
        "attempts",
        None,
        Text(N_("This is the result of {count} attempt(s) so far."), {"count": attempts}),
        str(attempts),
    )
    try:
        return _judge(record, definition, counted)
    except Damaged as damage:
        text = Text(N_("The record is damaged or incomplete at “{where}”."), {"where": damage.where})
        return Verdict(Outcome.INVALID, (Reason("record", False, text), counted))


def _judge(record: Json, definition: Json, counted: Reason) -> Verdict:
    reasons = [identity(record, definition, SCHEMA), *_machine(record, definition)]
    if any(reason.passed is False for reason in reasons):
        return Verdict(Outcome.INVALID, (*reasons, counted))
    finding = get(record, "finding", dict, optional=True)
    if finding is not None:
        outcome, reason = _finding(finding)
        if outcome is Outcome.INVALID or "accuracy" not in record:
            return Verdict(outcome, (*reasons, reason, counted))
        return Verdict(outcome, (*reasons, _accuracy(record, definition), reason, counted))
    canary = _canary(record, definition)
    reasons.append(canary)
    if canary.passed is False:
        return Verdict(Outcome.INVALID, (*reasons, counted))
    accuracy, complete = _accuracy(record, definition), _complete(record)
    reasons.append(accuracy)
    if complete.passed is False:
        return Verdict(Outcome.FAILED, (*reasons, complete, counted))
    if accuracy.passed is False:
        return Verdict(Outcome.FAILED, (*reasons, counted))
    for scenario in definition["scenarios"]:
        reasons += _scenario(record, scenario["name"], definition)
    if any(reason.passed is False for reason in reasons):
        return Verdict(Outcome.INVALID, (*reasons, counted))
    noise = _noise(record, definition)
    return Verdict(Outcome.PASSED if noise.passed else Outcome.WARNED, (*reasons, noise, counted))


def _machine(record: Json, definition: Json) -> list[Reason]:
    """The exact engine versions and the digests of the protocol's own files."""
    versions = engine(record, definition)
    if "inputs" not in record:
        return [versions]
    seen = {entry.get("name"): entry.get("digest") for entry in get(record, "inputs", list)}
    subject = get(record, "subject.digest", str)
    fits = subject in seen.values() and all(seen.get(n) == d for n, d in definition["assets"].items())
    return [versions, Reason("inputs", fits, Text(
        N_("Every input file has the digest that was ordered.") if fits
        else N_("An input file does not have the digest that was ordered.")
    ))]  # fmt: skip


def _finding(finding: Json) -> tuple[Outcome, Reason]:
    code, detail = get(finding, "code", str), get(finding, "detail", str)
    step = get(finding, "step", str)
    if get(finding, "party", str) == "subject":
        text = Text(FAULT_TEXTS.get(code, N_("The subject failed: {detail}")), {"detail": detail})
        return Outcome.FAILED, Reason(f"subject.{code}", False, text, step)
    text = Text(REFEREE_TEXTS.get(code, REFEREE_OTHER), {"detail": detail})
    return Outcome.INVALID, Reason(f"harness.{code}", False, text, step)


def _canary(record: Json, definition: Json) -> Reason:
    hit = get(record, "canary.predictions_digest", str) == definition["expected"]["reference_predictions_digest"]
    return Reason("canary", hit, Text(
        N_("The FP32 reference answered as it did at set-up.") if hit else REFEREE_TEXTS["canary_missed"]
    ))  # fmt: skip


def _complete(record: Json) -> Reason:
    """Every sample was answered once: what did not finish counts."""
    samples, answered = get(record, "accuracy.samples", int), get(record, "accuracy.answered", int)
    errors = get(record, "accuracy.errors", int)
    text = Text(N_("{answered} of {samples} samples were answered, with {errors} error(s)."),
                {"answered": answered, "samples": samples, "errors": errors})  # fmt: skip
    return Reason("complete", answered == samples and errors == 0, text, str(answered), str(samples))


def _accuracy(record: Json, definition: Json) -> Reason:
    """Recounted from the bitmaps, never taken from the harness's own sums."""
    samples = get(record, "accuracy.samples", int)
    if samples != definition["library"]["count"]:
        raise Damaged("accuracy.samples")
    reference, subject = (_flags(record, f"accuracy.{who}_bitmap", samples) for who in ("reference", "subject"))
    lost = sum(r and not s for r, s in zip(reference, subject, strict=True))
    told = (sum(reference), sum(subject), lost)
    if told != tuple(get(record, f"accuracy.{k}", int) for k in ("reference_right", "subject_right", "lost")):
        raise Damaged("accuracy.lost")
    rule = definition["acceptance"]["accuracy"]
    bound = clopper_pearson_upper(lost, samples, rule["confidence_permille"])
    limit = paired_limit(samples, sum(reference), rule)
    message = ACCURATE if bound <= limit else INACCURATE
    confidence = rule["confidence_permille"]
    shown = f"{confidence // 10}.{confidence % 10} %" if confidence % 10 else f"{confidence // 10} %"
    told_as = {"lost": lost, "samples": samples, "confidence": shown}
    text = Text(message, {**told_as, "bound": _percent(bound), "limit": _percent(limit)})
    return Reason("accuracy", bound <= limit, text, _percent(bound), _percent(limit))


def _scenario(record: Json, name: str, definition: Json) -> list[Reason]:
    found = [s for s in get(record, "scenarios", list) if isinstance(s, dict) and s.get("name") == name]
    if len(found) != 1 or not get(found[0], "runs", list):
        return [Reason(f"{name}.measured", False, Text(N_("{scenario} was not measured."), {"scenario": name}))]
    runs = found[0]["runs"]
    rules = definition["validity"]
    if len(runs) > rules["runs_max"]:
        raise Damaged(f"scenarios.{name}.runs")
    last = runs[-1]
    errors = get(last, "loadgen.errors", int)
    valid = get(last, "loadgen.validity", str) == "VALID" and errors <= rules["loadgen_errors_max"]
    params = {"scenario": name, "runs": len(runs), "errors": errors}
    message = (
        N_("{scenario}: LoadGen calls run {runs} valid, with {errors} error(s).") if valid else
        N_("{scenario}: not a valid measurement after {runs} run(s), with {errors} error(s) in the last.")
    )  # fmt: skip
    validity = Reason(f"{name}.valid", valid, Text(message, params), str(len(runs)), str(rules["runs_max"]))
    return [validity, _consistent(last, name, rules["identity_tolerance_permille"])]


def _consistent(run: Json, name: str, tolerance: int) -> Reason:
    """LoadGen's numbers against each other and against the harness's own stamps."""
    broken = [check for check, holds in _identities(run, name, tolerance) if not holds]
    text = (
        Text(N_("{scenario}: the numbers agree with each other."), {"scenario": name}) if not broken else
        Text(N_("{scenario}: the numbers do not agree with each other ({checks})."),
             {"scenario": name, "checks": ", ".join(broken)})
    )  # fmt: skip
    return Reason(f"{name}.consistent", not broken, text, ", ".join(broken) or None)


def _identities(run: Json, name: str, tolerance: int) -> list[tuple[str, bool]]:
    """Cheap identities of a true log, each with its name (samples = rate × time, and so on)."""
    referee, own = get(run, "loadgen", dict), get(run, "own", dict)
    queries = get(referee, "queries", int)
    samples = queries * get(referee, "samples_per_query", int)
    counts = get(own, "histogram", list)
    checks = [
        ("answers", get(own, "answers", int) == samples),
        ("histogram", len(counts) == len(EDGES_NS) + 1 and sum(counts) == get(own, "stamps", int)),
    ]
    if name == "Offline":
        rate, longest = get(referee, "samples_per_second_milli", int), get(referee, "latency_max_ns", int)
        return [*checks, ("rate", _near(rate * longest, samples * 10**12, tolerance))]
    p50, own_p50 = get(referee, "latency_p50_ns", int), get(own, "latency_p50_ns", int)
    checks += [
        ("stamps", get(own, "stamps", int) == queries),
        ("clock", p50 * (1000 + tolerance) >= own_p50 * 1000),
    ]
    if name == "SingleStream":
        mean = get(referee, "latency_mean_ns", int)
        rate = get(referee, "rate_without_overhead_milli", int)
        checks += [
            ("rate", _near(rate * mean, 10**12, tolerance)),
            ("time", mean * queries <= get(own, "wall_ns", int) * (1000 + tolerance) // 1000),
        ]
    if name == "Server":
        done = get(referee, "samples_per_second_milli", int)
        due = get(referee, "scheduled_per_second_milli", int)
        checks += [("schedule", _near(done, due, 5 * tolerance))]
    return checks


def _near(left: int, right: int, tolerance_permille: int) -> bool:
    return abs(left - right) * 1000 <= tolerance_permille * max(abs(left), abs(right))


def _noise(record: Json, definition: Json) -> Reason:
    """Processor time that the machine's host gave to others while this was measured."""
    before, after = get(record, "environment.before", dict), get(record, "environment.after", dict)
    total = get(after, "ticks_total", int) - get(before, "ticks_total", int)
    stolen = get(after, "ticks_stolen", int) - get(before, "ticks_stolen", int)
    share = 1000 * stolen // total if total > 0 else 0
    limit = definition["warnings"]["steal_permille_max"]
    message = (
        N_("The machine was quiet enough: {share} of its processor time went to others.") if share <= limit else
        N_("The machine was not quiet: {share} of its processor time went to others, so times may be too long.")
    )  # fmt: skip
    shown = f"{share // 10}.{share % 10} %"
    return Reason("quiet", share <= limit, Text(message, {"share": shown}), shown, f"{limit // 10}.{limit % 10} %")


def _percent(rate: float) -> str:
    return f"{rate * 100:.3f} %"


def _flags(record: Json, where: str, count: int) -> list[bool]:
    try:
        return flags(get(record, where, str), count)
    except ValueError as error:
        raise Damaged(where) from error
