"""The schematic map of the cluster: what stands where, in a drawing of our own that is not to scale."""

from __future__ import annotations

from dataclasses import dataclass

from bitgoeul.kernel.text import N_, Text


@dataclass(frozen=True)
class Place:
    """One mark on the map: a number that the list repeats, a kind (its shape) and a point in 0–760 × 0–470."""

    number: int
    kind: str
    name: Text
    note: Text
    x: int
    y: int
    label_side: str = "right"

    @property
    def label_x(self) -> int:
        """Where the name starts or ends beside the mark."""
        return self.x + 26 if self.label_side == "right" else self.x - 26


PLACES = (
    Place(
        1,
        "centre",
        Text(N_("National AI Data Center")),
        Text(N_("Compute for training and service: GPUs and HPC, in service since 2023-11-15.")),
        390,
        112,
        "right",
    ),
    Place(
        2,
        "simulator",
        Text(N_("Large driving simulator")),
        Text(N_("Exchangeable cabins; automated driving of level 3 and 4.")),
        318,
        62,
        "left",
    ),
    Place(
        3,
        "bench",
        Text(N_("Automotive demonstration centre")),
        Text(N_("Gwangju Green Car Agency.")),
        214,
        150,
        "right",
    ),
    Place(
        4,
        "bench",
        Text(N_("Energy demonstration centre")),
        Text(N_("Korea Photonics Technology Institute.")),
        486,
        176,
        "right",
    ),
    Place(
        5,
        "bench",
        Text(N_("Healthcare demonstration centre")),
        Text(N_("Bitgoeul Senior Health Town.")),
        378,
        396,
        "right",
    ),
    Place(
        6,
        "camp",
        Text(N_("AI start-up camp 1")),
        Text(N_("Desks, mentors and courses for young firms.")),
        446,
        262,
        "right",
    ),
    Place(7, "camp", Text(N_("AI start-up camp 2")), Text(N_("Room for firms that grow.")), 452, 318),
    Place(
        8,
        "site",
        Text(N_("Demonstration sites in the city")),
        Text(N_("Streets, parks, water and buildings where companies test in the field.")),
        262,
        300,
        "right",
    ),
)
# Field sites, drawn as small dots without a number of their own.
DOTS = ((288, 236), (336, 214), (310, 350), (232, 352), (412, 330), (360, 274), (296, 398), (542, 232), (186, 250))
