"""The example's catalogue, loaded from data; again changes nothing.

The small part is what a first start, the journey and the tests need; the whole has every kind of equipment and
every demonstration place that the reports count.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from bitgoeul.accounts.facade import Actor
from bitgoeul.kernel.ids import derive
from bitgoeul.kernel.text import Label

from .prices import set_price
from .services import define_centre, define_resource
from .types import Category, CentreView, Details, Price, Sector, Way

GRID_MINUTES = 30


def load_example(actor: Actor, directory: Path, full: bool = False) -> Mapping[str, int]:
    """Load the catalogue of ``directory``, its small part or the whole; returns what it then has of it."""
    centres = {entry["code"]: entry for entry in _read(directory / "centres.json")}
    for order, entry in enumerate(centres.values()):
        name, place = Label(**entry["name"]), Label(**entry["place"])
        centre = CentreView(entry["code"], name, place, entry["is_planned"])
        define_centre(actor=actor, centre=centre, order=order)
    count = 0
    for entry in entries_of(directory, full=full):
        _define(actor, entry, centres[entry["centre"]])
        count += 1
    for entry in _read(directory / "prices.json")["prices"]:
        identity = derive("resources.price", entry["unit"], entry["since"])
        since = date.fromisoformat(entry["since"])
        priced = Price(identity, **{**entry, "since": since}, is_example=True)
        set_price(actor=actor, price=priced)
    return {"centres": len(centres), "resources": count}


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def entries_of(directory: Path, *, full: bool) -> Iterator[dict[str, Any]]:
    """Every entry as data: the written ones, then equipment and places made from their compact lists."""
    data = _read(directory / "resources.json")
    yield from data["entries"]
    for code, entry in _equipment(_read(directory / "full" / "equipment.json")):
        if full or code in data["small"]["equipment"]:
            yield entry
    for code, entry in _places(_read(directory / "full" / "places.json")):
        if full or code in data["small"]["places"]:
            yield entry


def _equipment(data: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for centre, year, way, code, ko, en in data["rows"]:
        yield (
            code,
            {
                "code": f"bench-{code}",
                "category": Category.EQUIPMENT,
                "unit": "bench_minute",
                "centre": centre,
                "label": {"ko": f"{ko} (예시)", "en": f"{en} (example)"},
                "sector": centre.upper(),
                "way": way,
                "in_service_by": year,
                "grid_minutes": GRID_MINUTES,
                "is_invented": True,
            },
        )


def _places(data: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    made = 0
    for code, ko, en, sector in data["places"]:
        for district, district_ko, district_en in data["districts"]:
            if made == data["count"]:
                return
            made += 1
            yield (
                f"{code}-{district}",
                {
                    "code": f"site-{code}-{district}",
                    "category": Category.SITE,
                    "unit": "site_day",
                    "centre": "city",
                    "label": {"ko": f"{district_ko} {ko} (예시)", "en": f"{en}, {district_en} (example)"},
                    "sector": sector,
                    "is_invented": True,
                },
            )


def _define(actor: Actor, entry: Mapping[str, Any], centre: Mapping[str, Any]) -> None:
    define_resource(
        actor=actor,
        code=entry["code"],
        category=Category(entry["category"]),
        unit=entry["unit"],
        label=Label(**entry["label"]),
        provider=Label(**centre["name"]),
        location=Label(**centre["place"]),
        is_example=True,
        details=_details(entry),
    )


def _details(entry: Mapping[str, Any]) -> Details:
    return Details(
        centre=entry["centre"],
        about=Label(**entry.get("about", {"ko": "", "en": ""})),
        sector=Sector(entry["sector"]) if "sector" in entry else None,
        way=Way(entry["way"]) if "way" in entry else None,
        in_service_by=entry.get("in_service_by"),
        grid_minutes=entry.get("grid_minutes"),
        quantity=entry.get("quantity", 1),
        is_planned=entry.get("is_planned", False),
        is_invented=entry["is_invented"],
    )
