"""Handing jobs over by slurmrestd. What each version of it calls things stands in a file ``VERSION.json`` here.

A file says: ``submit``, the address; ``fields``, what each part of a request is called there; ``always`` and
``exclusive``, what is added to every job and to an exclusive one; ``numbers_as_objects``, the fields that want
``{"set", "infinite", "number"}``; ``environment_as_list``, whether variables go as a list of ``NAME=value``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import httpx

from bitgoeul.compute.ports import EngineUnavailable
from bitgoeul.kernel.errors import BadInput
from bitgoeul.kernel.text import N_

from ..commands import Commands, refusal
from ..config import RestConfig
from ..submit import Request

SECONDS_MAX = 30.0
TOKEN_SECONDS = 3_600
# What slurmrestd answers where the token does not hold: 401 for none, 500 with this number for a bad one.
BAD_TOKEN = 5005
PATH = "/usr/local/bin:/usr/bin:/bin"


@cache
def fields_of(version: str) -> Mapping[str, Any]:
    """The names of one version; raises BadInput, which says which there are."""
    there = sorted(
        each.name.removesuffix(".json") for each in resources.files(__package__).iterdir() if ".json" in each.name
    )
    if version not in there:
        raise BadInput(
            N_("slurmrestd's version “{name}” is not known. Known: {names}."),
            field="rest",
            name=version,
            names=", ".join(there),
        )
    read = resources.files(__package__).joinpath(f"{version}.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(read)
    return found


def body_of(asked: Request, names: Mapping[str, Any]) -> dict[str, Any]:
    """The request as this version wants it."""
    told = {**asdict(asked), "output": asked.output}
    job = {there: told[ours] for ours, there in names["fields"].items() if told[ours] != ""}
    job |= names["always"] | (names["exclusive"] if asked.exclusive else {})
    for name in names["numbers_as_objects"]:
        job[name] = {"set": True, "infinite": False, "number": job[name]}
    # Slurm refuses a job without an environment.
    job["environment"] = [f"PATH={PATH}"] if names["environment_as_list"] else {"PATH": PATH}
    return {"script": asked.script, "job": job}


class Rest:
    """slurmrestd of one cluster, over one kept connection."""

    def __init__(self, config: RestConfig, commands: Commands) -> None:
        self.config, self.commands, self.names = config, commands, fields_of(config.version)
        self._client = httpx.Client(base_url=config.url, timeout=SECONDS_MAX)
        self._token, self._token_until = "", 0.0

    def submit(self, asked: Request) -> int:
        """Hand a job over; its number. Raises as ``Commands.run`` does."""
        answer = self._post(asked)
        if _bad_token(answer):
            self._token_until = 0.0
            answer = self._post(asked)
        if _bad_token(answer):
            raise EngineUnavailable(N_("Slurm's REST service does not take the platform's token."))
        said = _read(answer)
        number, errors = said.get("job_id") or 0, said.get("errors") or []
        # It may answer 200 with errors beside the number of a job that it took all the same.
        if isinstance(number, int) and number > 0 and answer.status_code == httpx.codes.OK:
            return number
        told = [str(each.get("error") or each.get("description") or each) for each in errors]
        raise refusal("slurmrestd", told[0] if told else f"HTTP {answer.status_code}")

    def _post(self, asked: Request) -> httpx.Response:
        headers = {"X-SLURM-USER-NAME": self.config.user, "X-SLURM-USER-TOKEN": self._fresh_token()}
        try:
            return self._client.post(self.names["submit"], json=body_of(asked, self.names), headers=headers)
        except httpx.HTTPError as error:
            raise EngineUnavailable(
                N_("Slurm cannot be asked at the moment: {said}"), said=str(error)[:200]
            ) from error

    def _fresh_token(self) -> str:
        """From the site's file, read each time; else our own, made by scontrol and kept for most of its life."""
        if self.config.token_file:
            try:
                return Path(self.config.token_file).read_text(encoding="ascii").strip()
            except OSError as error:
                raise EngineUnavailable(
                    N_("Slurm's token cannot be read: {error}."), error=error.strerror or str(error)
                ) from error
        if time.monotonic() >= self._token_until:
            printed = self.commands.run("scontrol", "token", f"lifespan={TOKEN_SECONDS}")
            self._token = printed.strip().removeprefix("SLURM_JWT=")
            self._token_until = time.monotonic() + TOKEN_SECONDS * 0.8
        return self._token


def _read(answer: httpx.Response) -> dict[str, Any]:
    try:
        said = answer.json()
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise EngineUnavailable(
            N_("Slurm cannot be asked at the moment: {said}"),
            said=f"HTTP {answer.status_code} {answer.text[:100]}",
        )
    return said


def _bad_token(answer: httpx.Response) -> bool:
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return True
    if answer.status_code != httpx.codes.INTERNAL_SERVER_ERROR:
        return False
    errors = _read(answer).get("errors") or []
    return any(isinstance(each, dict) and each.get("error_code") == BAD_TOKEN for each in errors)
