"""Words about published results: what each flag says, and the footnote that every figure of them carries."""

from __future__ import annotations

from collections.abc import Mapping

from bitgoeul.kernel.text import N_, Text
from bitgoeul.published.mlperf import FINDINGS, Flag, Result

from .published_types import PublishedView

WORDS: Mapping[Flag, str] = {
    Flag.DISAGREES: N_("Does not agree with its log"),
    Flag.NOT_IN_LOG: N_("The log does not have what the result rests on"),
    Flag.DOES_NOT_ADD_UP: N_("The numbers of the log do not fit each other"),
    Flag.INVALID: N_("The run is not valid by its own log"),
    Flag.ERRORS: N_("Called valid above lines of errors"),
    Flag.INFERRED: N_("Inferred from another scenario, allowed by the rules"),
    Flag.WRONG_SCENARIO: N_("The log is of another scenario, and the rules infer nothing from it"),
    Flag.NOT_PERFORMANCE: N_("The log is not of a performance run"),
    Flag.OPEN: N_("Open division: the work may differ from the benchmark's"),
    Flag.PREVIEW: N_("Preview: announced, not yet for sale"),
    Flag.RDI: N_("Research, development or internal: need never be for sale"),
    Flag.SEVERAL: N_("More than one accelerator"),
    Flag.DUPLICATE: N_("Another result has the same log"),
    Flag.POWER: N_("Wall power was measured in this run"),
    Flag.NO_POWER: N_("A meter's log is there, and no reading in it is of the run's time"),
    Flag.NO_LOG: N_("There is no detail log, so nothing could be derived again"),
    Flag.UNREADABLE_LOG: N_("The detail log cannot be read, so nothing could be derived again"),
    Flag.UNREADABLE: N_("The summary has no result that can be read"),
    Flag.NO_SYSTEM: N_("The system is not described"),
    Flag.NO_ACCURACY: N_("No accuracy is stated beside it"),
    Flag.ACCURACY: N_("The stated accuracy does not add up"),
}
TRADEMARK = N_(
    "The MLPerf name and logo are registered and unregistered trademarks of MLCommons Association in the United "
    "States and other countries."
)
# MLCommons asks for this very word beside every figure that it has not reviewed.
UNVERIFIED = N_("unverified")
NOT_VERIFIED = N_("Result not verified by MLCommons Association.")
UNVERIFIED_BESIDE_VERIFIED = N_(
    "Results that MLCommons has not reviewed may have been measured or implemented in ways that its rules do not "
    "allow."
)


def remarks(result: Result) -> list[tuple[Text, bool]]:
    """Each flag as a sentence, and whether somebody has to look before the result is believed."""
    return [(Text(WORDS[flag]), flag in FINDINGS) for flag in result.flags]


def footnote(view: PublishedView) -> Text:
    """Round, division, benchmark, scenario, where and when it was retrieved, and its id."""
    result = view.result
    values = {
        "round": result.round,
        "division": result.division,
        "work": f"{result.benchmark} {result.scenario}",
        "who": f"{result.submitter}, {result.system}",
        "source": view.source,
        "day": view.retrieved_on.isoformat(),
        "id": view.result_id,
    }
    if view.result_id:
        return Text(
            N_(
                "MLPerf™ Inference {round} {division}, {work}: {who}. Retrieved from {source} on {day}, result id"
                " {id}."
            ),
            values,
        )
    return Text(
        N_(
            "MLPerf™ Inference {round} {division}, {work}: {who}. Retrieved from {source} on {day}; the tree names"
            " no result id."
        ),
        values,
    )
