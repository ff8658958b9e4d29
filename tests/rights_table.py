"""Where each verb can be done: one line an address, with the verb that guards it and what a good request answers.

    METHOD  address  [which of its forms]  verb  thing  status

``self`` guards what anybody signed in does with their own things alone, ``public`` what is open to everybody.
The surfaces are ``page``, ``api`` and ``export``; an ``open`` one asks nobody to sign in and so refuses with 404.
"""

from __future__ import annotations

from dataclasses import dataclass

PAGES = """
GET  /account/                                              self                              -             200
POST /account/                                              accounts.change_account           portal        302
POST /account/tokens/                                       accounts.create_token             portal        200
POST /account/tokens/{token}/end/                           self                              -             302
GET  /account/elevation/                                    accounts.elevate                  portal        200
POST /account/elevation/                                    accounts.elevate                  portal        422
POST /account/elevation/{token}/end/                        self                              -             404
POST /account/sign-ins/{token}/end/                         accounts.change_account           portal        302
POST /account/sign-ins/end/                                 accounts.change_account           portal        302
GET  /operators/                                            accounts.view_operators           portal        200
POST /operators/                                            accounts.grant_operator           portal        302
POST /operators/{bora}/STAFF/revoke/                        accounts.revoke_operator          portal        302
POST /operators/{bora}/end-access/                          accounts.end_access               portal        302
GET  /operators/person/                                     accounts.lift_lock                portal        200
POST /operators/person/                                     accounts.lift_lock                portal        422
GET  /partners/                                             programmes.view_partnerships      installation  200
GET  /decisions/                                            programmes.view_waiting           installation  200
POST /decisions/preview/                                    programmes.view_waiting           installation  400
POST /decisions/report/                                     programmes.view_waiting           installation  400
GET  /trail/project/{project}/                              accounts.view_project             project       200
GET  /trail/organisation/{company}/                         accounts.view_organisation        organisation  200
GET  /trail/application/{application}/                      programmes.view_application       application   200
GET  /trail/agreement/{agreement}/                          programmes.view_application       application   200
GET  /trail/allocation/{allocation}/                        resources.view_allocation         allocation    200
GET  /trail/job/{job}/                                      compute.view_job                  job           200
GET  /trail/subject/{subject}/                              trials.view_subject               subject       200
GET  /trail/trial/{trial}/                                  trials.view_trial                 trial         200
GET  /trail/evidence/{private}/                             trials.view_evidence              private       200
GET  /operators/elevations/                                 accounts.view_elevations          portal        200
GET  /organisations/{company}/                              accounts.view_organisation        organisation  200
POST /organisations/{company}/                              accounts.change_organisation_members organisation 302
POST /organisations/{company}/members/{bora}/remove/        accounts.change_organisation_members organisation 302
GET  /organisations/new/                                    self                              -             200
POST /organisations/new/                                    accounts.create_organisation      portal        302
GET  /home/                                                 self                              -             200
GET  /projects/{project}/                                   accounts.view_project             project       200
GET  /projects/{project}/members/                           accounts.view_members             project       200
POST /projects/{project}/members/                           accounts.change_members           project       302
POST /projects/{project}/members/{bora}/remove/             accounts.change_members           project       302
POST /projects/{project}/members/{bora}/owner/              accounts.hand_over_project        project       302
GET  /projects/{project}/statement/                         resources.view_statement          project       200
GET  /use/                                                  resources.view_use                portal        200
GET  /use/allocations/                                      resources.view_use                portal        200
GET  /fleet/                                                compute.view_fleet                portal        200
GET  /prices/                                               resources.view_catalogue          portal        200
POST /prices/                                               resources.set_price               portal        302
GET  /fleet/accounts/                                       compute.view_fleet                portal        200
POST /fleet/accounts/                                       compute.look_for_drift            portal        404
GET  /fleet/reconciliation/                                 compute.view_fleet                portal        200
GET  /fleet/nodes/                                          compute.view_fleet                portal        200
GET  /projects/{project}/jobs/                              compute.view_project              project       200
GET  /projects/{project}/jobs/new/                          compute.submit_job                project       200
POST /projects/{project}/jobs/new/                          compute.submit_job                project       302
POST /projects/{project}/jobs/price/                        compute.submit_job                project       200
GET  /jobs/{job}/                                           compute.view_job                  job           200
GET  /jobs/{job}/state/                                     compute.view_job                  job           302
GET  /jobs/{job}/use/                                       compute.view_job                  job           302
GET  /jobs/{job}/log/                                       compute.view_job                  job           200
POST /jobs/{job}/cancel/                                    compute.cancel_job                job           302
POST /jobs/{job}/write-off/                                 compute.write_off_job             job           302
GET  /projects/{project}/sweeps/                            compute.view_project              project       200
GET  /projects/{project}/sweeps/new/                        compute.submit_job                project       200
POST /projects/{project}/sweeps/new/                        compute.submit_job                project       302
POST /projects/{project}/sweeps/price/                      compute.submit_job                project       200
GET  /sweeps/{sweep}/                                       compute.view_job                  job           200
GET  /sweeps/{sweep}/state/                                 compute.view_job                  job           302
POST /sweeps/{sweep}/cancel/                                compute.cancel_job                job           302
GET  /projects/{project}/subjects/new/                      trials.create_subject             project       200
POST /projects/{project}/subjects/new/                      trials.create_subject             project       302
GET  /projects/{project}/trials/new/                        trials.request_trial              project       200
POST /projects/{project}/trials/new/                        trials.request_trial              project       302
GET  /subjects/{subject}/                                   trials.view_subject               subject       200
POST /subjects/{subject}/versions/new/                      trials.add_version                subject       302
GET  /trials/{trial}/                                       trials.view_trial                 trial         200
GET  /trials/{running}/status/                              trials.view_trial                 trial         302
POST /trials/{running}/stop/                                trials.stop_trial                 trial         302
POST /trials/{trial}/judge/                                 trials.judge_again                trial         302
GET  /evidence/{private}/                                   trials.view_evidence              private       200
GET  /evidence/{named}/                                     trials.view_evidence              named         200|302
GET  /evidence/{embargo}/                                   trials.view_evidence              embargo       200
GET  /evidence/{public}/                                    trials.view_evidence              public        200|302
POST /evidence/{private}/                          audience trials.publish_evidence           private       302
POST /evidence/{public}/                           audience trials.publish_evidence           public        302
POST /evidence/{private}/                          reason   trials.invalidate_evidence        private       302
POST /evidence/{public}/                           reason   trials.invalidate_evidence        public        302
GET  /calls/quick-start/apply/                              self                              -             200
POST /calls/quick-start/apply/                              self                              -         200|302|400
GET  /calls/quick-start/apply/?draft={draft}                programmes.edit_application       application   200
GET  /applications/                                         self                              -             200
GET  /applications/{application}/                           programmes.view_application       application   200
POST /applications/{selected}/withdraw/                     programmes.edit_application       application   302
GET  /agreements/                                           self                              -             200
GET  /agreements/?waiting                                   programmes.view_waiting           installation  200
GET  /agreements/{agreement}/                               programmes.view_application       application   200
POST /agreements/{agreement}/sign/                 applicant programmes.sign_as_applicant     application   302
POST /agreements/{agreement}/sign/                 operator programmes.sign_as_operator       application   302
"""

OPEN_PAGES = """
GET  /                                                      public                            -             200
GET  /api/                                                  public                            -             200
GET  /board/                                                public                            -             200
POST /language/                                             public                            -             302
GET  /catalogue/                                            public                            -             200
GET  /search/                                               public                            -             200
GET  /search/?q=%EA%B0%80%EC%98%A8                          public                            -             200
GET  /search/?q=PRJ&kind=project                             public                            -             200
GET  /catalogue/cpu-core/                                   public                            -             200
GET  /start/                                                public                            -             302
GET  /start/all/                                            public                            -             200
POST /start/all/                                            public                            -             302
GET  /start/1/                                              public                            -             200
POST /start/1/                                              public                            -             302
POST /start/again/                                          public                            -             302
GET  /plan/                                                 public                            -             200
GET  /calls/                                                public                            -             200
GET  /calls/quick-start/                                    public                            -             200
GET  /figures/                                              public                            -             200
GET  /figures/{figure}/                                     public                            -             200
GET  /verify/                                               public                            -             200
GET  /published/                                            public                            -             200
GET  /published/compare/                                    public                            -             200
GET  /published/{published}/                                public                            -             200
GET  /verify/{private}/                                     trials.view_evidence              private       200
GET  /verify/{named}/                                       trials.view_evidence              named         200
GET  /verify/{embargo}/                                     trials.view_evidence              embargo       200
GET  /verify/{public}/                                      trials.view_evidence              public        200
"""

EXPORTS = """
GET  /applications.xlsx                                     self                              -             200
GET  /agreements.xlsx                                       programmes.view_waiting           installation  200
GET  /agreements/{agreement}/text/                          programmes.view_application       application   200
GET  /partners.xlsx                                         programmes.view_partnerships      installation  200
GET  /trail/evidence/{private}/?format=xlsx                 trials.view_evidence              private       200
GET  /use.xlsx                                              resources.view_use                portal        200
GET  /use/allocations.xlsx                                  resources.view_use                portal        200
GET  /published.xlsx                                        public                            -             200
GET  /prices.xlsx                                           resources.view_catalogue          portal        200
GET  /fleet/nodes.xlsx                                      compute.view_fleet                portal        200
GET  /sweeps/{sweep}/jobs.xlsx                              compute.view_job                  job           200
GET  /jobs/{done}/files/log/stdout                          compute.view_job                  job           200
GET  /projects/{project}/statement/?format=xlsx             resources.view_statement          project       200
GET  /trials/{trial}/record.json                            trials.view_trial                 trial         200
GET  /trials/{trial}/logs.tar                               trials.view_trial                 trial         200
"""

OPEN_EXPORTS = """
GET  /catalogue.xlsx                                        public                            -             200
GET  /figures.xlsx                                          public                            -             200
GET  /keys/centre.pub                                       public                            -             200
GET  /verify/{private}/evidence.json                        trials.view_evidence              private       200
GET  /verify/{named}/evidence.json                          trials.view_evidence              named         200
GET  /verify/{embargo}/evidence.json                        trials.view_evidence              embargo       200
GET  /verify/{public}/evidence.json                         trials.view_evidence              public        200
GET  /verify/{private}/verifier.html                        trials.view_evidence              private       200
GET  /verify/{public}/verifier.html                         trials.view_evidence              public        200
"""

API = """
GET  /api/v1/me                                             self                              -             200
POST /api/v1/me                                             accounts.change_account           portal        200
GET  /api/v1/tokens                                         self                              -             200
POST /api/v1/tokens                                         accounts.create_token             portal        201
POST /api/v1/tokens/{token}/end                             self                              -             204
GET  /api/v1/organisations                                  self                              -             200
POST /api/v1/organisations                                  accounts.create_organisation      portal        201
GET  /api/v1/organisations/{company}                        accounts.view_organisation        organisation  200
GET  /api/v1/organisations/{company}/members                accounts.view_organisation_members organisation 200
POST /api/v1/organisations/{company}/members                accounts.change_organisation_members organisation 200
GET  /api/v1/operators                                      accounts.view_operators           portal        200
POST /api/v1/operators                                      accounts.grant_operator           portal        200
POST /api/v1/operators/{bora}/STAFF/revoke                  accounts.revoke_operator          portal        204
POST /api/v1/organisations/{company}/members/{bora}/remove  accounts.change_organisation_members organisation 204
GET  /api/v1/projects                                       self                              -             200
GET  /api/v1/projects/{project}                             accounts.view_project             project       200
GET  /api/v1/projects/{project}/members                     accounts.view_members             project       200
POST /api/v1/projects/{project}/members                     accounts.change_members           project       200
POST /api/v1/projects/{project}/members/{bora}/remove       accounts.change_members           project       204
POST /api/v1/projects/{project}/members/{bora}/owner        accounts.hand_over_project        project       200
GET  /api/v1/projects/{project}/allocations                 resources.view_statement            project       200
POST /api/v1/projects/{project}/allocations                 resources.grant_allocation        allocation    201
GET  /api/v1/allocations/{allocation}                       resources.view_allocation         allocation    200
GET  /api/v1/allocations/{allocation}/outlook               resources.view_allocation         allocation    200|409
GET  /api/v1/allocations/{allocation}/statement             resources.view_allocation         allocation    200
GET  /api/v1/use                                            resources.view_use                portal        200
GET  /api/v1/use/allocations                                resources.view_use                portal        200
POST /api/v1/allocations/{allocation}/suspend               resources.suspend_allocation      allocation    200
POST /api/v1/allocations/{allocation}/resume                resources.resume_allocation       allocation    409
POST /api/v1/allocations/{allocation}/recall                resources.recall_allocation       allocation    200
GET  /api/v1/trail/project/{project}                        accounts.view_project             project       200
GET  /api/v1/trail/evidence/{private}                       trials.view_evidence              private       200
GET  /api/v1/resources                                      resources.view_catalogue          portal        200
GET  /api/v1/prices                                         resources.view_catalogue          portal        200
POST /api/v1/prices                                         resources.set_price               portal        201
GET  /api/v1/fleet                                          compute.view_fleet                portal        200
GET  /api/v1/fleet/accounts                                 compute.view_fleet                portal        200
GET  /api/v1/fleet/reconciliation                           compute.view_fleet                portal        200
GET  /api/v1/fleet/nodes                                    compute.view_fleet                portal        200
GET  /api/v1/fleet/queue                                    compute.view_fleet                portal        200
GET  /api/v1/jobs?project_id={project}                      compute.view_project              project       200
POST /api/v1/jobs                                           compute.submit_job                project       201
POST /api/v1/jobs/estimate                                  self                              -             200
POST /api/v1/projects/{project}/sweeps                      compute.submit_job                project       201
GET  /api/v1/projects/{project}/sweeps                      compute.view_project              project       200
GET  /api/v1/sweeps/{sweep}                                 compute.view_job                  job           200
GET  /api/v1/sweeps/{sweep}/jobs                            compute.view_job                  job           200
POST /api/v1/sweeps/{sweep}/cancel                          compute.cancel_job                job           200
GET  /api/v1/jobs/{job}                                     compute.view_job                  job           200
GET  /api/v1/jobs/{job}/use                                 compute.view_job                  job           200
GET  /api/v1/jobs/{job}/log                                 compute.view_job                  job           200
GET  /api/v1/jobs/{job}/artefacts                           compute.view_job                  job           200
GET  /api/v1/jobs/{done}/artefacts/log/stdout               compute.view_job                  job           200
POST /api/v1/jobs/{job}/cancel                              compute.cancel_job                job           200
POST /api/v1/jobs/{job}/write-off                           compute.write_off_job             job           409
GET  /api/v1/protocols                                      self                              -             200
GET  /api/v1/projects/{project}/subjects                    trials.list_trials                project       200
POST /api/v1/projects/{project}/subjects                    trials.create_subject             project       201
GET  /api/v1/subjects/{subject}                             trials.view_subject               subject       200
GET  /api/v1/subjects/{subject}/standing                    trials.view_subject               subject       200
GET  /api/v1/subjects/{subject}/trials                      trials.view_subject               subject       200
GET  /api/v1/subjects/{subject}/versions                    trials.view_subject               subject       200
POST /api/v1/subjects/{subject}/versions                    trials.add_version                subject       201
GET  /api/v1/versions/{version}/file                        trials.read_subject_file          subject       200
GET  /api/v1/trials?project_id={project}                    trials.list_trials                project       200
POST /api/v1/trials                                         trials.request_trial              project       201
POST /api/v1/trials/estimate                                trials.request_trial              project       200
GET  /api/v1/trials/{trial}                                 trials.view_trial                 trial         200
GET  /api/v1/trials/{trial}/attempts                        trials.view_trial                 trial         200
GET  /api/v1/trials/{trial}/judgements                      trials.view_trial                 trial         200
GET  /api/v1/trials/{trial}/record                          trials.view_trial                 trial         200
GET  /api/v1/trials/{trial}/logs                            trials.view_trial                 trial         200
POST /api/v1/trials/{running}/stop                          trials.stop_trial                 trial         200
POST /api/v1/trials/{trial}/judgements                      trials.judge_again                trial         200
GET  /api/v1/evidence?project_id={project}                  trials.list_trials                project       200
GET  /api/v1/evidence/{private}/history                     trials.view_evidence_history      private       200
GET  /api/v1/evidence/{public}/history                      trials.view_evidence_history      public        200
POST /api/v1/evidence/{private}/visibility                  trials.publish_evidence           private       200
POST /api/v1/evidence/{public}/visibility                   trials.publish_evidence           public        200
POST /api/v1/evidence/{private}/invalidation                trials.invalidate_evidence        private       200
POST /api/v1/evidence/{public}/invalidation                 trials.invalidate_evidence        public        200
POST /api/v1/applications                                   programmes.apply                  organisation  200
GET  /api/v1/applications                                   self                              -             200
GET  /api/v1/applications/{application}                     programmes.view_application       application   200
POST /api/v1/applications/{selected}/withdraw               programmes.edit_application       application   200
GET  /api/v1/decisions                                      programmes.view_waiting           installation  200
POST /api/v1/applications/{selected}/decide                 programmes.decide_application     application   409
GET  /api/v1/agreements                                     self                              -             200
GET  /api/v1/agreements?waiting=true                        programmes.view_waiting           installation  200
GET  /api/v1/agreements/{agreement}                         programmes.view_application       application   200
POST /api/v1/agreements/{agreement}/sign           applicant programmes.sign_as_applicant     application   200
POST /api/v1/agreements/{agreement}/sign           operator programmes.sign_as_operator       application   200
"""

OPEN_API = """
GET  /api/v1/                                               public                            -             404
GET  /api/v1/openapi.json                                   public                            -             200
GET  /api/v1/board                                          public                            -             200
GET  /api/v1/catalogue                                      public                            -             200
GET  /api/v1/search?q=%EA%B0%80%EC%98%A8                    public                            -             200
GET  /api/v1/catalogue/cpu-core                             public                            -             200
GET  /api/v1/questions                                      public                            -             200
POST /api/v1/plan                                           public                            -             200
GET  /api/v1/calls                                          public                            -             200
GET  /api/v1/calls/quick-start                              public                            -             200
GET  /api/v1/figures                                        public                            -             200
GET  /api/v1/figures/{figure}                               public                            -             200
GET  /api/v1/figures/{figure}/claims                        public                            -             200
GET  /api/v1/published-results                              public                            -             200
GET  /api/v1/published-results/{published}                  public                            -             200
GET  /api/v1/published-results/comparison?pick={published}  public                            -             400
GET  /api/v1/evidence-log/head                              public                            -             200
GET  /api/v1/evidence-log/consistency?first=1               public                            -             200
GET  /api/v1/evidence/{private}/inclusion                   trials.view_evidence              private       200
GET  /api/v1/evidence/{public}/inclusion                    trials.view_evidence              public        200
GET  /api/v1/evidence/latest                                public                            -             200
GET  /api/v1/evidence/{private}                             trials.view_evidence              private       200
GET  /api/v1/evidence/{named}                               trials.view_evidence              named         200
GET  /api/v1/evidence/{embargo}                             trials.view_evidence              embargo       200
GET  /api/v1/evidence/{public}                              trials.view_evidence              public        200
GET  /api/v1/evidence/{private}/file                        trials.view_evidence              private       200
GET  /api/v1/evidence/{public}/file                         trials.view_evidence              public        200
GET  /api/v1/evidence/{private}/verification                trials.view_evidence              private       200
GET  /api/v1/evidence/{public}/verification                 trials.view_evidence              public        200
"""

# Verbs that nothing over HTTP does, and where they are done.
ELSEWHERE = {
    "accounts.close_account": "the page of a person's account, behind accounts.lift_lock",
    "accounts.create_project": "signing an agreement makes the project, and the platform itself acts then",
    "accounts.erase_personal": "the page of a person's account, behind accounts.lift_lock",
    "outcomes.load_figures": "figures are loaded from data by the command line",
    "programmes.record_partnerships": "partnerships are loaded from data by the command line",
    "programmes.load_call": "calls are loaded from data by the command line",
}
# Addresses that no line can hold: they belong to the installation, to an example, or to the sign-in library.
UNHELD = ("healthz", "readyz", "metrics", "example/sign-in/", "mail/", "accounts/")


@dataclass(frozen=True)
class Line:
    """One address of the table."""

    surface: str
    open: bool
    method: str
    path: str
    variant: str
    verb: str
    thing: str
    good: frozenset[int]

    @property
    def name(self) -> str:
        """How a failure calls it."""
        return f"{self.method} {self.path} {self.variant}".strip()


def _read(table: str, surface: str, *, open: bool) -> list[Line]:
    found = []
    for text in table.strip().splitlines():
        method, path, *variant, verb, thing, good = text.split()
        codes = frozenset(map(int, good.split("|")))
        found.append(Line(surface, open, method, path, "".join(variant), verb, thing, codes))
    return found


LINES = [
    *_read(PAGES, "page", open=False),
    *_read(OPEN_PAGES, "page", open=True),
    *_read(EXPORTS, "export", open=False),
    *_read(OPEN_EXPORTS, "export", open=True),
    *_read(API, "api", open=False),
    *_read(OPEN_API, "api", open=True),
]
