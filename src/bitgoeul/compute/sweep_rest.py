"""Sweeps over REST: submit many jobs of a kind, see how far they are, cancel what is left."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from bitgoeul.accounts.facade import actor_of
from bitgoeul.web.facade import Paged, PageNumber, paged, refusals

from . import facade, rules, sweeps
from .bodies import RequestBody
from .types import SweepJob, SweepView

router = Router(tags=["sweeps"])
Value = str | int
Points = Annotated[list[dict[str, Value]], Field(max_length=rules.JOBS_MAX)]


class SweepIn(Schema):
    """A sweep to submit. ``id`` is made by the caller: the same id and content again is the same sweep.

    ``parameters`` is a grid, the values of each parameter by name, each combination of them a job, or a list
    of points. A job has its values as variables, and in its command ``{name}`` stands for the value. ``files``
    are small text files given with every job.
    """

    id: UUID
    name: str
    request: RequestBody
    parameters: dict[str, list[Value]] | Points
    files: dict[str, str] = Field(default_factory=dict)

    def points(self) -> sweeps.Points:
        """The points that are meant; raises BadInput."""
        if isinstance(self.parameters, dict):
            return sweeps.grid({name: [str(value) for value in each] for name, each in self.parameters.items()})
        return sweeps.listed([{name: str(value) for name, value in each.items()} for each in self.parameters])


class SweepOut(Schema):
    """A sweep: how many jobs, how many in each state.

    ``charged`` is what all of them were charged by ledger unit; null in a list.
    """

    id: UUID
    project_id: UUID
    name: str
    parameters: list[str]
    submitted_at: datetime
    submitted_by: str
    cluster: str
    jobs: int
    ended: int
    states: dict[str, int]
    charged: dict[str, int] | None


class SweepList(Paged):
    """One page of sweeps, newest first."""

    items: list[SweepOut]


class SweepJobOut(Schema):
    """One job of a sweep, by its values."""

    id: UUID
    index: int
    values: dict[str, str]
    state: str
    started_at: datetime | None
    ended_at: datetime | None
    exit_code: int | None
    charged: dict[str, int]


class SweepJobList(Paged):
    """One page of a sweep's jobs, in the order of their points."""

    items: list[SweepJobOut]


def sweep_out(view: SweepView) -> SweepOut:
    """A view as REST shows it."""
    return SweepOut.model_validate(view, from_attributes=True)


@router.post(
    "/projects/{uuid:project_id}/sweeps",
    response={200: SweepOut, 201: SweepOut, **refusals(404, 409)},
    summary="Submit a sweep",
)
def submit_sweep(request: HttpRequest, project_id: UUID, body: SweepIn) -> Status[SweepOut]:
    """A job for each point, all or none: 201 when new, 200 when submitted before.

    Who may submit a job may. 409 when the project has not enough left for all (nothing is held then), or the id
    was used with other content.
    """
    known = facade.sweep_exists(body.id)
    view = facade.submit_sweep(
        actor=actor_of(request),
        id=body.id,
        project_id=project_id,
        name=body.name,
        request=body.request.as_request(),
        points=body.points(),
        files={name: text.encode() for name, text in body.files.items()},
        cluster=body.request.cluster,
    )
    return Status(200 if known else 201, sweep_out(view))


@router.get(
    "/projects/{uuid:project_id}/sweeps",
    response={200: SweepList, **refusals(403, 404)},
    summary="Sweeps of a project",
)
def list_sweeps(request: HttpRequest, project_id: UUID, page: PageNumber = 1) -> SweepList:
    """Newest first. The project's people and the operator may."""
    return paged(SweepList, facade.sweeps(actor=actor_of(request), project_id=project_id, page=page), sweep_out)


@router.get("/sweeps/{uuid:sweep_id}", response={200: SweepOut, **refusals(404)}, summary="One sweep")
def get_sweep(request: HttpRequest, sweep_id: UUID) -> SweepOut:
    """The project's people and the operator may; to anybody else it does not exist."""
    return sweep_out(facade.sweep(actor=actor_of(request), sweep_id=sweep_id))


@router.get(
    "/sweeps/{uuid:sweep_id}/jobs", response={200: SweepJobList, **refusals(404)}, summary="A sweep's jobs"
)
def list_sweep_jobs(request: HttpRequest, sweep_id: UUID, page: PageNumber = 1) -> SweepJobList:
    """In the order of their points. Who may see the sweep may."""
    names = facade.sweep(actor=actor_of(request), sweep_id=sweep_id).parameters
    found = facade.sweep_jobs(actor=actor_of(request), sweep_id=sweep_id, page=page)

    def out(one: SweepJob) -> SweepJobOut:
        told = {name: getattr(one, name) for name in SweepJobOut.model_fields if name != "values"}
        return SweepJobOut(**told, values=dict(zip(names, one.values, strict=True)))

    return paged(SweepJobList, found, out)


@router.post(
    "/sweeps/{uuid:sweep_id}/cancel",
    response={200: SweepOut, **refusals(404)},
    summary="Cancel the rest of a sweep",
)
def cancel_sweep(request: HttpRequest, sweep_id: UUID) -> SweepOut:
    """Who may cancel its jobs may; what they used is charged. Asking again changes nothing."""
    return sweep_out(facade.cancel_sweep(actor=actor_of(request), sweep_id=sweep_id))
