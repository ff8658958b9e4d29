"""The accuracy that is stated beside a result, and what of it can be checked without its log.

The log of an accuracy run is cut short before it is published, so the share itself cannot be counted again.
"""

from __future__ import annotations

import re

NUMBER = r"([0-9]{1,20}(?:\.[0-9]{1,20})?)"
FORMS = (
    (re.compile(rf"accuracy={NUMBER}%"), "top1 {}%"),
    (re.compile(rf"mAP={NUMBER}%"), "mAP {}%"),
    (re.compile(rf'"f1":\s*{NUMBER}'), "F1 {:.3f}"),
    (re.compile(rf"'rouge1':\s*{NUMBER}"), "rouge1 {}"),
)  # fmt: skip
COUNTED = re.compile(rf"accuracy={NUMBER}%, good=([0-9]{{1,15}}), total=([0-9]{{1,15}})\b", re.ASCII)
HASH = re.compile(r"^hash=[0-9a-f]{64}\s*$", re.MULTILINE | re.ASCII)
# The share is printed with three decimals.
LAST_DIGIT = 0.001


def stated(text: str) -> str:
    """The accuracy as a row has it; empty where none is stated."""
    for pattern, form in FORMS:
        if found := pattern.search(text):
            return form.format(float(found[1]) if ":.3f" in form else found[1])
    return ""


def adds_up(text: str) -> bool:
    """Whether what is stated may be: a share of a hundred, that of its own counts, with the digest of its log."""
    shares = [float(found[1]) for pattern, _form in FORMS if (found := pattern.search(text))]
    if not all(0 <= share <= 100 for share in shares) or not HASH.search(text):
        return False
    if not FORMS[0][0].search(text):
        return True
    counted = COUNTED.search(text)
    if counted is None:
        return False
    share, good, total = float(counted[1]), int(counted[2]), int(counted[3])
    return good <= total and total > 0 and abs(share - 100 * good / total) < LAST_DIGIT
