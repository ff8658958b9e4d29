"""The fleet: the example's sums, what engines report, the pages and REST for the operator's people."""

from __future__ import annotations

import json
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from django.conf import settings
from openpyxl import load_workbook

from bitgoeul.accounts.facade import Actor
from bitgoeul.audit import facade as audit
from bitgoeul.compute import facade as compute
from bitgoeul.compute import fleet
from bitgoeul.compute.models import Cluster, Job, Node, NodeType, Partition
from bitgoeul.compute.ports import NodeObservation, NodeState
from bitgoeul.compute.services.observing import define_fleet, record_nodes
from bitgoeul.compute.squares import SQUARES_MAX, draw
from bitgoeul.compute.types import petaflops
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.errors import BadInput, NotAllowed
from bitgoeul.kernel.ids import new_id
from bitgoeul.resources import facade as resources

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("test")
EXAMPLES = Path(settings.EXAMPLES)
PF = 1_000_000  # GFLOPS


@pytest.fixture
def loaded():
    return compute.load_example(SYSTEM, EXAMPLES)


@pytest.fixture
def cluster():
    return Cluster.objects.create(
        code="far", title="Far", engine="local", enabled=False, device_units={"npu": "npu_atom_ms"}
    )


def seen(name, state=NodeState.IDLE, used=0, **more):
    return NodeObservation(name=name, state=state, device="npu", devices=8, used=used, **more)


def job(project, cluster, state, minutes=1):
    return Job.objects.create(
        id=new_id(), cluster_id=cluster, project_id=project.id, name="작업", state=state, request_digest="x",
        request={"argv": ["true"], "outputs": [], "limits": {"cores": 1, "memory_mib": 1, "wall_seconds": 1,
                 "processes": 1, "file_mib": 1}}, submitted_by="user:x",
        submitted_at=now() - timedelta(minutes=minutes),
    )  # fmt: skip


def test_the_example_comes_to_the_reported_totals_within_one_node():
    data = json.loads((EXAMPLES / "fleet.json").read_text(encoding="utf-8"))
    for partition, reported in (("hpc", 20 * PF), ("gpu-cloud", 68_500_000)):
        types = [one for one in data["types"] if one["partition"] == partition]
        assert {one["precision"] for one in types} == {"FP64"}
        assert all(one["peak_source_ko"] and one["peak_source_en"] for one in types)
        total = sum(one["node_count"] * one["devices_per_node"] * one["peak_gflops"] for one in types)
        largest = max(one["devices_per_node"] * one["peak_gflops"] for one in types)
        assert abs(total - reported) <= largest, (partition, total)
    assert sum(one["capacity_tb"] for one in data["storage"]) == 107_000
    (npu,) = [one for one in data["partitions"] if one["code"] == "npu"]
    assert (npu["is_planned"], npu["counted"]) == (True, False)


def test_the_loaded_fleet_says_the_same_and_a_second_load_changes_nothing(loaded, auditor):
    found = fleet.fleet(actor=auditor)
    assert list(found.total_gflops) == ["FP64"]
    assert petaflops(found.total_gflops["FP64"]) == "88.532"
    for part in found.partitions:
        for one in part.types:
            assert one.idle + one.used + one.drained + one.unknown == one.devices
    before = (Node.objects.count(), audit.Event.objects.count())
    compute.load_example(SYSTEM, EXAMPLES)
    assert (Node.objects.count(), audit.Event.objects.count()) == before
    planned = next(part for part in found.partitions if part.is_planned)
    assert all(one.unknown == one.devices for one in planned.types)


def test_people_do_not_describe_fleets_and_outsiders_do_not_see_one(chan, auditor):
    with pytest.raises(BadInput):
        define_fleet(actor=auditor, partitions=[], types=[], nodes=[], storage=[])
    for read in (fleet.fleet, fleet.queue, fleet.nodes, fleet.unknown_jobs, fleet.engine_health):
        with pytest.raises(NotAllowed):
            read(actor=chan)


def test_what_an_engine_reports_is_written_and_what_it_leaves_out_is_unknown(cluster, engineer):
    assert record_nodes(cluster=cluster, seen=[seen("a"), seen("b", NodeState.USED, 3)], actor="system:test") == 2
    assert record_nodes(cluster=cluster, seen=[seen("a"), seen("b", NodeState.USED, 3)], actor="system:test") == 0
    (one,) = fleet.fleet(actor=engineer).partitions[0].types
    assert (one.unit, one.idle, one.used, one.unknown) == ("npu_atom_ms", 13, 3, 0)
    record_nodes(cluster=cluster, seen=[seen("a", NodeState.DRAINED, reason="fan")], actor="system:test")
    (one,) = fleet.fleet(actor=engineer).partitions[0].types
    assert (one.drained, one.unknown) == (8, 8)
    told = {row.subject_id: row.after for row in audit.Event.objects.filter(verb="fleet.observe")}
    assert told == {"far/a": {"state": "DRAINED", "reason": "fan"}, "far/b": {"state": "UNKNOWN", "reason": ""}}


def test_what_was_said_long_ago_is_not_known_any_more(cluster, engineer):
    record_nodes(cluster=cluster, seen=[seen("a")], actor="system:test")
    Partition.objects.update(looked_at=now() - timedelta(minutes=6))
    (one,) = fleet.fleet(actor=engineer).partitions[0].types
    assert (one.idle, one.unknown) == (0, 8)
    (node,) = fleet.nodes(actor=engineer).items
    assert node.state == NodeState.UNKNOWN
    assert fleet.nodes(actor=engineer, state="IDLE").total == 0


def test_the_local_engine_fills_its_own_slots(engineer, tmp_path, settings):
    from bitgoeul.compute.engines import engine_of

    settings.ENGINE_HOME = tmp_path
    local = Cluster.objects.get(code="local")
    record_nodes(cluster=local, seen=engine_of(local).nodes(), actor="system:test")
    (part,) = fleet.fleet(actor=engineer).partitions
    assert {one.unit for one in part.types} == {"core_ms", "target_ms"}
    assert all(one.idle == one.devices for one in part.types)


def test_engineers_see_up_to_when_a_cluster_s_accounting_was_read(engineer, cluster):
    from bitgoeul.compute import facade as compute
    from bitgoeul.compute.models import Cluster, MeteredCluster

    Cluster.objects.update(enabled=False)
    Cluster.objects.filter(pk=cluster.code).update(enabled=True)
    assert compute.standing(now()).accounting_until is None
    moment = now() - timedelta(hours=3)
    MeteredCluster.objects.create(code=cluster.code, pulled_until=moment)
    (one,) = [each for each in fleet.engine_health(actor=engineer) if each.cluster == cluster.code]
    assert one.read_until == moment
    assert compute.standing(now()).accounting_until == moment


def test_the_queue_is_by_project_and_reads_no_ended_job(project, cluster, engineer, django_assert_num_queries):
    for state, minutes in (
        ("QUEUED", 30),
        ("SUBMITTED", 90),
        ("RUNNING", 500),
        ("UNKNOWN", 700),
        ("SUCCEEDED", 9),
    ):
        job(project, cluster.code, state, minutes)
    with django_assert_num_queries(2):
        (row,) = fleet.queue(actor=engineer).items
    assert (row.waiting, row.running, row.unknown) == (2, 1, 1)
    assert timedelta(minutes=89) < now() - row.oldest < timedelta(minutes=92)
    totals = fleet.queue_totals(actor=engineer)
    assert (totals.waiting, totals.oldest) == (2, row.oldest)
    assert [one.state for one in fleet.unknown_jobs(actor=engineer)] == ["UNKNOWN"]


def test_a_project_without_waiting_jobs_stands_last(project, organisation, ara, cluster, engineer):
    from bitgoeul.accounts import facade as accounts

    other = accounts.create_project(
        actor=SYSTEM,
        id=new_id(),
        organisation_id=organisation.id,
        title="다른 과제 (예시)",
        owner_user_id=ara.user_id,
    )
    job(other, cluster.code, "RUNNING")
    job(project, cluster.code, "QUEUED")
    assert [row.project_id for row in fleet.queue(actor=engineer).items] == [project.id, other.id]
    assert [row.project_id for row in fleet.queue(actor=engineer, order="running").items] == [other.id, project.id]


def test_a_page_for_the_operator_in_both_languages(loaded, project, cluster, engineer, chan, sign_in):
    job(project, cluster.code, "UNKNOWN")
    assert sign_in(chan).get("/fleet/").status_code == 403
    client = sign_in(engineer)
    page = client.get("/fleet/").content.decode()
    assert "88.532 PF" in page
    assert "예시 구성" in page
    assert project.title in page
    assert "어느 엔진에도 없는 작업" in page
    english = client.get("/fleet/", headers={"Accept-Language": "en"}).content.decode()
    assert "stated peak, not measured" in english


@pytest.mark.parametrize(
    "query", ["order=x", "page=-1", "page=99", "partition=%00", "state=NONE", "state=DRAINED&partition=hpc"]
)
def test_any_filter_leads_to_a_page(loaded, engineer, sign_in, query):
    for path in ("/fleet/", "/fleet/nodes/", "/fleet/nodes.xlsx"):
        assert sign_in(engineer).get(f"{path}?{query}").status_code == 200


def test_the_sheet_holds_the_nodes_of_the_filter(loaded, engineer, sign_in):
    drained = Node.objects.filter(state="DRAINED").count()
    answer = sign_in(engineer).get("/fleet/nodes.xlsx?state=DRAINED")
    assert load_workbook(BytesIO(answer.content)).active.max_row == 1 + drained


def test_a_larger_fleet_costs_the_same(loaded, engineer, sign_in, django_assert_max_num_queries):
    client = sign_in(engineer)
    with django_assert_max_num_queries(20) as few:
        before = client.get("/fleet/").content
    kind = NodeType.objects.get(pk="gpu-h100")
    Node.objects.bulk_create(Node(code=f"more-{n}", node_type=kind, state="IDLE") for n in range(3_000))
    NodeType.objects.filter(pk="gpu-h100").update(node_count=3_120)
    with django_assert_max_num_queries(len(few.captured_queries)):
        after = client.get("/fleet/").content
    assert len(after) < 2 * len(before)


def test_squares_have_one_shape_a_state_and_stay_bounded():
    drawing = draw({"used": 3, "idle": 2, "drained": 1, "unknown": 1})
    assert [drawing.paths[mark].count("M") for mark in ("used", "idle", "drained", "unknown")] == [3, 2, 1, 1]
    assert drawing.each == 1
    large = draw({"used": 100_000, "unknown": 1})
    assert sum(path.count("M") for path in large.paths.values()) <= SQUARES_MAX + 4
    assert large.paths["unknown"]
    assert draw({}).paths["used"] == ""


def test_catalogue_entries_tell_what_the_fleet_has(loaded, client):
    resources.load_example(SYSTEM, EXAMPLES)
    page = client.get("/catalogue/gpu-h100/").content.decode()
    assert "64.320 PF FP64" in page
    assert "107,000 TB" in client.get("/catalogue/storage/").content.decode()
    assert "NVIDIA" not in client.get("/catalogue/simulator-cabin-special/").content.decode()


def test_rest_reads_fleet_and_queue(loaded, project, cluster, engineer, chan, sign_in):
    job(project, cluster.code, "QUEUED")
    assert sign_in(chan).get("/api/v1/fleet").status_code == 403
    found = sign_in(engineer).get("/api/v1/fleet").json()
    assert found["total_gflops"] == {"FP64": 88_532_416}
    assert found["partitions"][0]["types"][0]["precision"] == "FP64"
    queue = sign_in(engineer).get("/api/v1/fleet/queue").json()
    assert (queue["waiting"], queue["items"][0]["project_id"]) == (1, str(project.id))
