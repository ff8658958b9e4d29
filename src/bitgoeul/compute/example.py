"""The example's fleet, loaded from data; again changes nothing.

No engine reports these nodes: how they stand is example data, drawn from a fixed seed.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bitgoeul.accounts import facade as accounts

from .ports import NodeState
from .services.observing import define_fleet

SHARES = ((NodeState.USED, 0.74), (NodeState.IDLE, 0.22), (NodeState.DRAINED, 0.03), (NodeState.UNKNOWN, 0.01))


def load_example(actor: accounts.Actor, directory: Path, full: bool = False) -> Mapping[str, int]:
    """Load fleet.json from ``directory``; the small example and the whole one have the same fleet."""
    data = json.loads((directory / "fleet.json").read_text(encoding="utf-8"))
    partitions = [{**row, "is_example": True} for row in data["partitions"]]
    planned = {row["code"] for row in partitions if row.get("is_planned")}
    nodes = list(_nodes(data, planned))
    types = [{**{key: value for key, value in row.items() if key != "partition"}, "partition_id": row["partition"]}
             for row in data["types"]]  # fmt: skip
    storage = [{**row, "is_example": True} for row in data["storage"]]
    define_fleet(actor=actor, partitions=partitions, types=types, nodes=nodes, storage=storage)
    return {"nodes": len(nodes)}


def _nodes(data: Mapping[str, Any], planned: set[str]) -> Iterator[dict[str, Any]]:
    dice = random.Random(data["seed"])
    for row in data["types"]:
        for number in range(1, row["node_count"] + 1):
            state, used = _drawn(dice, row["devices_per_node"])
            if row["partition"] in planned:  # not there yet: nobody can say anything of it
                state, used = NodeState.UNKNOWN, 0
            reason = "예시: 점검" if state is NodeState.DRAINED else ""
            code = f"{row['code']}-{number:03d}"
            yield {"code": code, "node_type_id": row["code"], "state": str(state), "used": used, "reason": reason}


def _drawn(dice: random.Random, devices: int) -> tuple[NodeState, int]:
    state = dice.choices([one for one, _share in SHARES], [share for _one, share in SHARES])[0]
    used = devices if dice.random() < 0.8 else dice.randint(1, devices)
    return state, used if state is NodeState.USED else 0
