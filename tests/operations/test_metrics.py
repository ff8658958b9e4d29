"""The figures for Prometheus: what is exported, to whom, and that it stays bounded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from bitgoeul.site import metrics

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "metrics.md"
ALERTS = Path(__file__).resolve().parents[2] / "deploy" / "prometheus-alerts.yml"
pytestmark = pytest.mark.django_db


def families(client=None, **headers):
    answer = (client or Client()).get("/metrics", **headers)
    assert answer.status_code == 200, answer.content
    return {family.name: family for family in text_string_to_metric_families(answer.content.decode())}


def name_of(family) -> str:
    return family.name + "_total" if family.type == "counter" else family.name


def test_the_page_lists_exactly_what_is_exported():
    Client().get("/healthz")
    Client().get("/api/v1/me", headers={"Authorization": "Bearer bgt_none"})
    documented = set(re.findall(r"^\| `(bitgoeul_[a-z_]+)`", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert {name_of(family) for family in families().values()} == documented


def test_every_alert_asks_for_a_figure_that_exists():
    asked = set(re.findall(r"bitgoeul_[a-z_]+", ALERTS.read_text(encoding="utf-8")))
    documented = set(re.findall(r"`(bitgoeul_[a-z_]+)`", PAGE.read_text(encoding="utf-8")))
    suffixed = {f"{name}{suffix}" for name in documented for suffix in ("", "_bucket", "_count", "_sum")}
    assert asked
    assert asked <= suffixed


def test_routes_are_patterns_and_made_up_names_add_no_series():
    client = Client()
    before = {sample.labels["route"] for sample in families()["bitgoeul_http_requests"].samples}
    for number in range(30):
        client.get(f"/nowhere/{number}/")
        client.generic(f"VERB{number}", "/healthz")
        client.get(f"/jobs/019ab000-0000-7000-8000-0000000000{number:02}/")
    samples = families()["bitgoeul_http_requests"].samples
    new = {sample.labels["route"] for sample in samples} - before
    assert new <= {metrics.UNROUTED, "/healthz", "/metrics", "/jobs/<uuid:job_id>/"}
    assert {sample.labels["method"] for sample in samples} <= metrics.METHODS | {"other"}


def test_a_scrape_asks_a_constant_number_of_queries(django_assert_max_num_queries):
    with django_assert_max_num_queries(8):
        families()


def test_a_failed_sign_in_is_counted():
    def failed():
        samples = families()["bitgoeul_sign_ins_failed"].samples
        return {sample.labels["way"]: sample.value for sample in samples if sample.name.endswith("_total")}

    Client().get("/api/v1/me", headers={"Authorization": "Bearer bgt_none"})
    before = failed()
    Client().get("/api/v1/me", headers={"Authorization": "Bearer bgt_none"})
    Client().post("/accounts/login/", {"login": "nobody@example.kr", "password": "wrong"})
    assert failed()["token"] == before["token"] + 1
    assert failed()["form"] == before.get("form", 0) + 1


@pytest.mark.parametrize(
    "headers", [{"X-Forwarded-For": "127.0.0.1"}, {"Forwarded": "for=127.0.0.1"}, {"Via": "1.1 x"}]
)
def test_what_a_proxy_passed_on_does_not_come_from_this_machine(headers):
    assert Client().get("/metrics", headers=headers).status_code == 403


def test_another_machine_needs_the_token_and_so_does_this_one_then(monkeypatch):
    other = Client(REMOTE_ADDR="10.0.0.7")
    assert other.get("/metrics").status_code == 403
    monkeypatch.setattr(settings.ENV, "metrics_token", "m" * 40)
    assert Client().get("/metrics").status_code == 403
    assert other.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 403
    assert families(other, headers={"Authorization": f"Bearer {'m' * 40}"})


@pytest.mark.slow
def test_all_processes_of_the_web_server_are_added_up(installation):
    with installation.client() as client:
        for _ in range(40):
            assert client.get("/healthz", headers={"Connection": "close"}).status_code == 200
        text = client.get("/metrics").text
    found = {family.name: family for family in text_string_to_metric_families(text)}
    answered = [s.value for s in found["bitgoeul_http_requests"].samples if s.labels.get("route") == "/healthz"]
    assert sum(answered) >= 40
    assert found["bitgoeul_database_up"].samples[0].value == 1
    assert {s.labels["process"] for s in found["bitgoeul_loop_silent_seconds"].samples} == {"worker", "follower"}
