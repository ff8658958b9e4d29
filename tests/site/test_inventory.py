"""What a page can do the REST interface can do: each address of the portal names its operations, or a reason.

A new page fails here until it says which operations give a program the same, or why none does.
"""

from __future__ import annotations

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from bitgoeul.site.rest import api

SIGN_IN = "signing in is a person's own act in a browser; a program has a token"
EXAMPLE = "only of an example on this very machine"

IN_PERSON = "asks a person's own second factor in a browser, so that no stolen token can do it"

# Each address by its name: operation ids, or the reason why a program needs none.
ADDRESSES: dict[str, tuple[str, ...] | str] = {
    "accounts:account": ("get_me", "change_account", "list_organisations", "list_tokens"),
    "accounts:token_new": ("create_token",),
    "accounts:token_end": ("end_token",),
    "accounts:organisation_new": ("create_organisation",),
    "accounts:organisation": ("get_organisation", "list_organisation_members", "add_organisation_member"),
    "accounts:organisation_member_remove": ("remove_organisation_member",),
    "accounts:members": ("list_members", "add_member"),
    "accounts:member_remove": ("remove_member",),
    "accounts:hand_over": ("hand_over_project",),
    "accounts:example_sign_in": EXAMPLE,
    "accounts:mails": EXAMPLE,
    "accounts:mail": EXAMPLE,
    "trials:published": ("list_published_results",),
    "trials:published_xlsx": ("list_published_results",),
    "trials:published_compare": ("compare_published_results",),
    "trials:published_result": ("get_published_result",),
    "compute:fleet": ("get_fleet", "list_queue"),
    "compute:accounts": ("list_drift",),
    "compute:reconciliation": ("list_reconciliations",),
    "compute:nodes": ("list_nodes",),
    "compute:nodes_xlsx": ("list_nodes",),
    "accounts:elevate": IN_PERSON,
    "accounts:elevation_end": IN_PERSON,
    "accounts:sign_in_end": IN_PERSON,
    "accounts:sign_ins_end": IN_PERSON,
    "accounts:operators": ("list_operators", "grant_operator_role"),
    "accounts:operator_revoke": ("revoke_operator_role",),
    "accounts:end_access": IN_PERSON,
    "accounts:elevations": IN_PERSON,
    "accounts:operator_person": IN_PERSON,
    "compute:jobs": ("list_jobs",),
    "compute:job_new": ("submit_job", "list_allocations"),
    "compute:job_price": ("estimate_job",),
    "compute:sweeps": ("list_sweeps",),
    "compute:sweep_new": ("submit_sweep", "list_allocations"),
    "compute:sweep_price": ("estimate_job",),
    "compute:sweep": ("get_sweep", "list_sweep_jobs"),
    "compute:sweep_state": ("get_sweep", "list_sweep_jobs"),
    "compute:sweep_cancel": ("cancel_sweep",),
    "compute:sweep_xlsx": ("list_sweep_jobs",),
    "compute:job": ("get_job", "get_job_use", "list_job_artefacts", "read_job_log"),
    "compute:job_state": ("get_job",),
    "compute:job_use": ("get_job_use",),
    "compute:job_log": ("read_job_log",),
    "compute:job_cancel": ("cancel_job",),
    "compute:job_write_off": ("write_off_job",),
    "compute:job_file": ("get_job_artefact",),
    "resources:prices": ("list_prices", "set_price"),
    "resources:prices_xlsx": ("list_prices",),
    "resources:statement": ("list_allocations", "get_allocation", "get_statement"),
    "trials:subject_new": ("create_subject", "add_version"),
    "trials:subject": ("get_subject", "get_subject_standing", "list_versions", "list_subject_trials"),
    "trials:version_new": ("add_version",),
    "trials:trial_new": ("list_protocols", "estimate_trial", "request_trial"),
    "trials:trial": ("get_trial", "list_attempts", "list_judgements"),
    "trials:trial_status": ("get_trial",),
    "trials:trial_stop": ("stop_trial",),
    "trials:trial_judge": ("judge_trial_again",),
    "trials:trial_record": ("get_record",),
    "trials:trial_logs": ("get_trial_logs",),
    "trials:verify": ("list_latest_evidence", "verify_kept_evidence"),
    "trials:verify_result": ("get_evidence", "verify_kept_evidence"),
    "trials:evidence_file": ("get_evidence_file",),
    "trials:evidence": (
        "get_evidence",
        "list_evidence",
        "list_visibility_changes",
        "change_visibility",
        "invalidate_evidence",
    ),
    "trials:verifier_file": "get_evidence_file has the file; this puts a verifier for a person around it",
    "trials:centre_key": "a file at an address that never changes, for checks without the portal",
    "programmes:start": "leads to the first question",
    "programmes:questions": ("list_questions",),
    "programmes:question": ("list_questions",),
    "programmes:again": "forgets the answers that the browser's session keeps",
    "programmes:plan": ("make_dated_plan",),
    "programmes:calls": ("list_calls",),
    "programmes:call": ("get_call",),
    "programmes:apply": ("apply",),
    "programmes:applications": ("list_applications",),
    "programmes:applications_xlsx": ("list_applications",),
    "programmes:application": ("get_application",),
    "programmes:withdraw": ("withdraw_application",),
    "programmes:agreements": ("list_agreements",),
    "programmes:waiting_xlsx": ("list_agreements",),
    "programmes:agreement": ("get_agreement",),
    "programmes:agreement_text": ("get_agreement",),
    "programmes:sign": ("sign_agreement",),
    "programmes:partners": "the operator's own list of contracts; its workbook is the data",
    "programmes:partners_xlsx": "the operator's own list of contracts, as data already",
    "outcomes:figures": ("list_figures",),
    "outcomes:figures_xlsx": ("list_figures",),
    "outcomes:figure": ("get_figure", "list_figure_claims"),
    "site:front": ("list_figures", "list_calls", "list_latest_evidence"),
    "site:home": ("list_projects", "list_applications", "list_agreements", "list_organisations"),
    "site:project": ("get_project", "list_allocations", "list_jobs", "list_subjects", "list_trials"),
    "site:search": ("search",),
    "site:use": ("get_use",),
    "site:use_xlsx": ("get_use",),
    "site:outlooks": ("list_outlooks", "get_allocation_outlook"),
    "site:outlooks_xlsx": ("list_outlooks",),
    "site:trail": ("get_trail",),
    "site:decisions": ("list_decisions", "decide_application", "sign_agreement"),
    "site:decisions_preview": ("list_decisions",),
    "site:decisions_report": ("decide_application", "sign_agreement"),
    "site:board": ("get_board",),
    "site:catalogue": ("list_catalogue",),
    "site:catalogue_xlsx": ("list_catalogue",),
    "site:catalogue_entry": ("get_catalogue_entry", "list_prices"),
    "site:interface": "is about this interface; openapi.json says the same to programs",
    "site:language": "sets the browser's language; a program sends Accept-Language",
}
# Whole groups that no program needs, by the beginning of their names.
GROUPS = {
    "account_": SIGN_IN,
    "mfa_": SIGN_IN,
    "socialaccount_": SIGN_IN,
    "saml_": SIGN_IN,
    "social/": SIGN_IN,
    "openid_connect_": SIGN_IN,
    "usersessions_": SIGN_IN,
}
# Operations that no page has, and what they are for.
WITHOUT_A_PAGE = {
    "get_evidence_log_head": "kept by outsiders, whose programs compare it with a later one",
    "get_evidence_log_consistency": "checked offline: a page of ours would only vouch for itself",
    "get_evidence_inclusion": "the proof file that the page of the evidence links to, checked offline",
    "get_version_file": "a page shows a version's digest; its bytes are for programs",
    "grant_allocation": "an agreement grants; this is the operator's own hand",
    "suspend_allocation": "the operator's own hand",
    "resume_allocation": "the operator's own hand",
    "recall_allocation": "the operator's own hand",
    "list_resources": "the codes and units that allocations and calls name",
}
HEALTH = ("healthz", "readyz", "metrics")


def addresses(resolver: URLResolver, space: str = "") -> list[str]:
    """The name of every address outside the REST interface; the path where it has none."""
    found = []
    for one in resolver.url_patterns:
        if isinstance(one, URLResolver):
            inner = ":".join(filter(None, [space, one.namespace]))
            found += [] if one.namespace == "api" else addresses(one, inner)
        elif isinstance(one, URLPattern):
            name = one.name or str(one.pattern)
            found.append(f"{space}:{name}" if space else name)
    return found


@pytest.fixture(scope="module")
def operations():
    paths = api.get_openapi_schema()["paths"]
    return {one["operationId"] for item in paths.values() for one in item.values()}


def explained(name: str) -> bool:
    return name in ADDRESSES or name in HEALTH or name.startswith(tuple(GROUPS))


def test_every_address_names_its_operations_or_a_reason():
    missing = [name for name in addresses(get_resolver()) if not explained(name)]
    assert missing == [], "name their operations in ADDRESSES, or say why a program needs none"


def test_no_address_is_explained_that_is_not_there():
    there = set(addresses(get_resolver()))
    assert [name for name in ADDRESSES if name not in there] == []


def test_every_named_operation_is_there(operations):
    named = {one for told in ADDRESSES.values() if isinstance(told, tuple) for one in told}
    assert named - operations == set()


def test_every_operation_belongs_to_a_page_or_says_what_it_is_for(operations):
    named = {one for told in ADDRESSES.values() if isinstance(told, tuple) for one in told}
    assert operations - named - WITHOUT_A_PAGE.keys() == set()
    assert WITHOUT_A_PAGE.keys() - (operations - named) == set()


def test_every_reason_is_a_sentence_of_some_length():
    reasons = [told for told in ADDRESSES.values() if isinstance(told, str)]
    assert [one for one in (*reasons, *GROUPS.values(), *WITHOUT_A_PAGE.values()) if len(one) < 15] == []
