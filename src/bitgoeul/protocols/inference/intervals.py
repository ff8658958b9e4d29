"""The one interval this protocol needs. Pure; takes and gives whole counts."""

from __future__ import annotations

from collections.abc import Mapping


def clopper_pearson_upper(hits: int, trials: int, confidence_permille: int) -> float:
    """The one-sided exact upper bound of a proportion.

    The largest rate under which ``hits`` or fewer in ``trials`` still happens with probability
    1 − confidence: the beta quantile B(confidence; hits + 1, trials − hits). Source: C. J. Clopper and
    E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
    Biometrika 26 (1934) 404–413.
    """
    from scipy.special import betaincinv  # scipy.stats' beta.ppf, without its second of import time

    if not 0 <= hits <= trials or trials == 0:
        raise ValueError("hits must lie between 0 and trials")
    if hits == trials:
        return 1.0
    return float(betaincinv(hits + 1, trials - hits, confidence_permille / 1000))


def paired_limit(samples: int, reference_right: int, rule: Mapping[str, int]) -> float:
    """The highest rate of lost samples that the rule allows: a share of the reference's accuracy."""
    return rule["limit_permille_of_reference"] / 1000 * reference_right / samples


def lost_max(samples: int, reference_right: int, rule: Mapping[str, int]) -> int:
    """The most lost samples whose upper bound stays within the limit; −1 when not even none does."""
    limit, lost = paired_limit(samples, reference_right, rule), -1
    while lost < samples and clopper_pearson_upper(lost + 1, samples, rule["confidence_permille"]) <= limit:
        lost += 1
    return lost
