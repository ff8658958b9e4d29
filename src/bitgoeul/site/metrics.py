"""Figures for Prometheus at /metrics: requests by route, and how the installation stands.

Several processes answer requests; each writes its counts into ``run/metrics`` and whoever is asked adds them up.
A label is a route's pattern, a state, a process or a cluster's code, so the number of series is bounded.
"""

from __future__ import annotations

import hmac
import os
import platform
import shutil
from collections.abc import Iterable, Iterator
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import django
from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from bitgoeul.audit import facade as audit
from bitgoeul.compute import facade as compute
from bitgoeul.kernel.clock import now
from bitgoeul.ledger import facade as ledger

from .peers import is_local
from .supervisor import beat_age

LOOPS = ("worker", "follower")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNROUTED = "(none)"
SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SIGN_IN_ROUTE = "accounts/login/"

disable_created_metrics()  # type: ignore[no-untyped-call]
REQUESTS = CollectorRegistry()
HTTP_REQUESTS = Counter(
    "bitgoeul_http_requests_total", "Requests answered.", ("method", "route", "status"), registry=REQUESTS
)
HTTP_SECONDS = Histogram(
    "bitgoeul_http_request_duration_seconds", "Time to answer a request, by route.", ("route",),
    buckets=SECONDS, registry=REQUESTS,
)  # fmt: skip
SIGN_INS_FAILED = Counter(
    "bitgoeul_sign_ins_failed_total",
    "Sign-ins refused: 'form' by the sign-in page, 'token' at the REST interface.",
    ("way",),
    registry=REQUESTS,
)


def route_of(request: HttpRequest) -> str:
    """The pattern of the address asked for; ``(none)`` when there is no such address."""
    if request.path.startswith(settings.STATIC_URL):
        return settings.STATIC_URL
    match = request.resolver_match
    return f"/{match.route}" if match and match.route else ("/" if match else UNROUTED)


def observe(request: HttpRequest, status: int, seconds: float) -> None:
    """Count one answered request."""
    method = request.method if request.method in METHODS else "other"
    route = route_of(request)
    HTTP_REQUESTS.labels(method, route, str(status)).inc()
    HTTP_SECONDS.labels(route).observe(seconds)
    if method == "POST" and route == f"/{SIGN_IN_ROUTE}" and status in (200, 429):
        SIGN_INS_FAILED.labels("form").inc()
    if status == 401 and "Authorization" in request.headers:
        SIGN_INS_FAILED.labels("token").inc()


def _age(since: datetime | None, moment: datetime) -> float:
    return max(0.0, (moment - since).total_seconds()) if since else 0.0


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(f"bitgoeul_{name}", words, value=value)


def _labelled(name: str, words: str, label: str, values: Iterable[tuple[str, float]]) -> Metric:
    family = GaugeMetricFamily(f"bitgoeul_{name}", words, labels=[label])
    for key, value in values:
        family.add_metric([key], value)
    return family


class Standing(Collector):
    """How the installation stands now, read when asked: eight queries, whatever its size."""

    def collect(self) -> Iterator[Metric]:
        """Every figure; those of the database only while it answers, and whether it does."""
        yield from _of_the_machine()
        try:
            found = [*_of_the_database()]
        except DatabaseError:
            found = []
        yield _gauge("database_up", "Whether the database answered this scrape.", float(bool(found)))
        yield from found


def _of_the_machine() -> Iterator[Metric]:
    info = {
        "version": version("bitgoeul"), "python": platform.python_version(), "django": django.get_version(),
        "mode": settings.ENV.mode,
    }  # fmt: skip
    family = GaugeMetricFamily("bitgoeul_build_info", "What runs here; always 1.", labels=list(info))
    family.add_metric(list(info.values()), 1)
    yield family
    disk = shutil.disk_usage(settings.HOME)
    yield _gauge("disk_free_bytes", "Free room on the disk of BITGOEUL_HOME.", disk.free)
    yield _gauge("disk_size_bytes", "Size of the disk of BITGOEUL_HOME.", disk.total)
    ages = [(name, beat_age(Path(settings.HOME), name)) for name in LOOPS]
    seen = [(name, age) for name, age in ages if age is not None]
    yield _labelled("loop_silent_seconds", "Time since worker or follower came round.", "process", seen)


def _of_the_database() -> Iterator[Metric]:
    moment = now()
    jobs, behind = compute.standing(moment), audit.backlog()
    holds, due = ledger.open_holds(moment)
    yield _labelled("jobs", "Jobs by state.", "state", jobs.jobs.items())
    yield _gauge("job_queue_age_seconds", "How long the oldest queued job waits.", _age(jobs.queued_since, moment))
    yield _gauge(
        "metering_lag_seconds",
        "How far the most overdue job is past its time limit without being charged.",
        jobs.metering_late.total_seconds(),
    )
    yield _gauge(
        "accounting_age_seconds",
        "How old what was last read of a cluster's own accounting is; 0 where no cluster has one.",
        _age(jobs.accounting_until, moment),
    )
    yield _labelled(
        "cluster_drift", "What a cluster's accounts were last seen to differ in.", "cluster",
        [(code, count) for code, (count, _at) in jobs.drift.items()],
    )  # fmt: skip
    yield _labelled(
        "cluster_drift_age_seconds", "How old that look is.", "cluster",
        [(code, _age(at, moment)) for code, (_count, at) in jobs.drift.items()],
    )  # fmt: skip
    yield _gauge("audit_unsealed_events", "Events without a chain position yet.", behind.unsealed)
    yield _gauge(
        "audit_unsealed_age_seconds", "How long the oldest of them waits.", _age(behind.unsealed_since, moment)
    )
    yield _labelled(
        "outbox_messages", "Messages not delivered yet; 'stuck' failed at least three times.", "state",
        [("waiting", behind.waiting - behind.stuck), ("stuck", behind.stuck)],
    )  # fmt: skip
    yield _gauge("outbox_age_seconds", "How long the oldest message waits.", _age(behind.waiting_since, moment))
    yield _gauge("ledger_open_holds", "Holds that stand.", holds)
    yield _gauge("ledger_expired_holds", "Holds past their time that still stand.", due)


def registry() -> CollectorRegistry:
    """Everything that is exported."""
    whole = CollectorRegistry()
    whole.register(Standing())
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        MultiProcessCollector(whole)  # type: ignore[no-untyped-call]
    else:
        whole.register(_Requests())
    return whole


class _Requests(Collector):
    """The counts of this process alone, where there is only one."""

    def collect(self) -> Iterable[Metric]:
        """As they stand."""
        return REQUESTS.collect()


def may_read(request: HttpRequest) -> bool:
    """A token when one is set, else only from this very machine."""
    token = settings.ENV.metrics_token
    if not token:
        return is_local(request)
    given = request.headers.get("Authorization", "")
    return hmac.compare_digest(given.encode(), f"Bearer {token}".encode())


def page(request: HttpRequest) -> HttpResponse:
    """The figures in Prometheus' text format; to anybody who may not read them there is nothing here."""
    if not may_read(request):
        return HttpResponse("Metrics are read from this machine, or with the token.\n", "text/plain", status=403)
    data = generate_latest(registry())
    return HttpResponse(data, CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})
