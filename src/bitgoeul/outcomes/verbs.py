"""What one may do with figures; reading them is open to everybody."""

from __future__ import annotations

from bitgoeul.accounts.facade import register_verb
from bitgoeul.accounts.types import OperatorRole, Verb
from bitgoeul.kernel.text import N_, Text

register_verb(
    Verb(
        "outcomes.load_figures",
        kind="installation",
        label=Text(N_("Publish figures and indicators")),
        operator_roles=frozenset({OperatorRole.STAFF}),
    )
)
