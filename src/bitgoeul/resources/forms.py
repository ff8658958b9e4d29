"""The form of a price."""

from __future__ import annotations

from uuid import UUID

from django import forms
from django.utils.timezone import localdate
from django.utils.translation import gettext_lazy as _

from bitgoeul.ledger.facade import UNITS
from bitgoeul.web.facade import PortalForm

from .periods import YEARS
from .prices import KRW_MAX, MONEY, SOURCE_MAX
from .types import Price

HOUR_MS = 3_600_000
# For how much of a unit people think of a price, in its ledger scale: an hour of devices, a GiB-hour, an hour.
PER = {
    "mib_hour": 1024,
    "bench_minute": 60,
    "advice_minute": 60,
    **{code: HOUR_MS for code in UNITS if code.endswith("_ms")},
}
PRICED = tuple(code for code in UNITS if code != MONEY)


def per(unit: str) -> int:
    """The ledger amount that the form gives a price for."""
    return PER.get(unit, 1)


class PriceForm(PortalForm):
    """A dated price; ``id`` is made with the empty form, so that sending it twice is one price."""

    id = forms.UUIDField(widget=forms.HiddenInput)
    unit = forms.ChoiceField(label=_("Price for"), choices=[(code, code) for code in PRICED])
    krw = forms.IntegerField(label=_("Won"), min_value=0, max_value=KRW_MAX)
    since = forms.DateField(
        label=_("From"),
        initial=localdate,
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        help_text=_("Today or later: what was shown before stays."),
    )
    source = forms.CharField(
        label=_("Who decided it, and where"), max_length=SOURCE_MAX, help_text=_("Shown with the price.")
    )

    def clean_since(self) -> object:
        """A day of the years that the portal knows."""
        day = self.cleaned_data["since"]
        if not YEARS[0] <= day.year <= YEARS[1]:
            raise forms.ValidationError(_("Give a day of the years %(first)s to %(last)s.") % {
                "first": YEARS[0], "last": YEARS[1],
            })  # fmt: skip
        return day

    def price(self) -> Price:
        """The price of a valid form."""
        given = self.cleaned_data
        identity: UUID = given["id"]
        return Price(identity, given["unit"], given["krw"], per(given["unit"]), given["since"], given["source"])
