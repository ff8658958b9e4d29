"""Signing in by OIDC and SAML: real providers, roles by claim, and no account taken over."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import zlib
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import httpx
import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from django.test import Client
from onelogin.saml2.constants import OneLogin_Saml2_Constants as Names
from onelogin.saml2.utils import OneLogin_Saml2_Utils

from bitgoeul.accounts import allauth_settings, claims, provider_file
from bitgoeul.accounts import facade as accounts
from bitgoeul.accounts.facade import OperatorRole
from bitgoeul.accounts.models import OperatorGrant, OrganisationMembership, User
from bitgoeul.audit import facade as audit
from bitgoeul.kernel.clock import now
from bitgoeul.kernel.ids import new_id
from installation import environment, free_port

pytestmark = pytest.mark.django_db
ISSUER = "https://idp.example.kr/saml"


def use(settings, tmp_path, *entries):
    """Let the portal read ``entries`` as its file of providers."""
    path = tmp_path / "providers.json"
    path.write_text(json.dumps({"providers": list(entries)}))
    for name, value in allauth_settings.with_providers(
        path, public_url="http://localhost:8000", production=False
    ).items():
        setattr(settings, name, value)


# --- OIDC

PEOPLE = {
    "dana": {
        "email": "dana@city.example",
        "email_verified": True,
        "name": "단아",
        "groups": ["staff"],
        "amr": ["mfa"],
    },
    "plain": {"email": "plain@city.example", "email_verified": True, "name": "평이", "groups": []},
    "ara": {"email": "ara@example.kr", "email_verified": True, "name": "다른 아라"},
    "unsure": {"email": "ara@example.kr", "email_verified": False, "name": "모름"},
}  # fmt: skip


@pytest.fixture(scope="module")
def issuer():
    """A real provider in a process of its own."""
    port = free_port()
    people = [f"--user-claims={json.dumps({'sub': sub, **said})}" for sub, said in PEOPLE.items()]
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port), *people]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            for _ in range(200):
                try:
                    httpx.get(f"{url}/.well-known/openid-configuration", timeout=1)
                    break
                except httpx.TransportError:
                    assert process.poll() is None
                    import time

                    time.sleep(0.1)
            yield url
        finally:
            process.terminate()


@pytest.fixture
def oidc(settings, tmp_path, issuer):
    """``oidc(trusted_domains=[…], roles=[…])`` configures the provider “city”."""

    def configure(**more):
        secret = tmp_path / "secret"
        secret.write_text("a secret")
        entry = {"id": "city", "kind": "oidc", "name": "시청", "issuer": issuer, "client_id": "bitgoeul"}
        use(settings, tmp_path, {**entry, "client_secret_file": str(secret), **more})

    return configure


def confirmed(user_id, email):
    """The person has confirmed the address by mail."""
    EmailAddress.objects.create(user_id=user_id, email=email, verified=True, primary=True)


def by_oidc(sub, client=None):
    """Walk through the provider's pages as ``sub``; returns the client and the portal's last answer."""
    client = client or Client(HTTP_HOST="localhost")
    there = client.post("/accounts/oidc/city/login/")["Location"]
    sent = httpx.post(there, data={"sub": sub}, timeout=10, follow_redirects=False)
    back = urlsplit(sent.headers["Location"])
    answer = client.get(f"{back.path}?{back.query}")
    return client, answer


def test_somebody_new_signs_in_by_the_provider_and_has_the_roles_it_says(oidc, organisation):
    oidc(
        trusted_domains=["city.example"],
        second_factor={"claim": "amr", "values": ["mfa"]},
        roles=[
            {"claim": "groups", "value": "staff", "operator": "AUDITOR"},
            {"claim": "groups", "value": "staff", "organisation": str(organisation.id), "role": "MEMBER"},
        ],
    )
    client, _answer = by_oidc("dana")
    told = client.get("/api/v1/me").json()
    assert (told["name"], told["operator_roles"]) == ("단아", ["AUDITOR"])
    user = User.objects.get(email="dana@city.example")
    assert not user.has_usable_password()
    assert OrganisationMembership.objects.get(user=user).source == "city"
    verbs = {one.verb for one in audit.history("user", str(user.pk)).items}
    assert {"accounts.sign_up", "accounts.grant_operator", "accounts.add_organisation_member"} <= verbs


def test_roles_go_when_the_claim_goes_and_grants_by_hand_stay(oidc, organisation):
    user_id = accounts.create_user(
        actor=accounts.Actor.system("test"), id=new_id(), email="plain@city.example", display_name="평이",
        operator_roles=frozenset({OperatorRole.ENGINEER}),
    )  # fmt: skip
    confirmed(user_id, "plain@city.example")
    OperatorGrant.objects.create(user_id=user_id, role="AUDITOR", source="city")
    OperatorGrant.objects.create(user_id=user_id, role="STAFF", source="elsewhere")
    OrganisationMembership.objects.create(
        user_id=user_id, organisation_id=organisation.id, role="MEMBER", source="city"
    )
    oidc(trusted_domains=["city.example"], roles=[{"claim": "groups", "value": "staff", "operator": "AUDITOR"}])
    client, _answer = by_oidc("plain")
    told = client.get("/api/v1/me").json()
    assert told["resting_roles"] == ["ENGINEER", "STAFF"], "no second factor was said, so they rest"
    assert not OrganisationMembership.objects.filter(user_id=user_id).exists()


def test_a_verified_e_mail_joins_an_account_only_where_the_provider_is_trusted_for_the_domain(oidc, ara):
    oidc(trusted_domains=["city.example"])
    client, answer = by_oidc("ara")
    assert answer["Location"].startswith("/accounts/login/?next=")
    assert client.get("/api/v1/me").status_code == 401
    assert not SocialAccount.objects.exists()
    confirmed(ara.user_id, "ara@example.kr")
    oidc(trusted_domains=["example.kr"])
    client, _answer = by_oidc("ara")
    assert client.get("/api/v1/me").json()["id"] == ara.id


def test_an_e_mail_that_is_not_verified_joins_nothing(oidc, ara):
    oidc(trusted_domains=["example.kr"])
    client, _answer = by_oidc("unsure")
    assert client.get("/api/v1/me").status_code == 401
    assert not SocialAccount.objects.exists()


def test_the_owner_of_an_account_connects_the_provider_and_signs_in_by_it(oidc, ara, sign_in):
    oidc()
    confirmed(ara.user_id, "ara@example.kr")
    client = Client(HTTP_HOST="localhost")
    client.post("/accounts/login/", {"login": "ara@example.kr", "password": "correct horse battery"})
    there = client.post("/accounts/oidc/city/login/?process=connect")["Location"]
    if there.startswith("/accounts/reauthenticate/"):
        client.post(there, {"password": "correct horse battery"})
        there = client.post("/accounts/oidc/city/login/?process=connect")["Location"]
    sent = httpx.post(there, data={"sub": "ara"}, timeout=10)
    back = urlsplit(sent.headers["Location"])
    client.get(f"{back.path}?{back.query}")
    assert SocialAccount.objects.get().user_id == ara.user_id
    assert "시청" in client.get("/account/").content.decode()
    other, _answer = by_oidc("ara")
    assert other.get("/api/v1/me").json()["id"] == ara.id


def test_the_sign_in_page_offers_the_provider(oidc, client):
    oidc()
    page = client.get("/accounts/login/")
    assert "/accounts/oidc/city/login/" in page.content.decode()


def test_the_policy_of_pages_lets_forms_lead_to_the_providers_of_the_file_alone(
    tmp_path, issuer, client, settings
):
    (tmp_path / "secret").write_text("a secret")
    entry = {"id": "city", "kind": "oidc", "name": "시청", "issuer": issuer, "client_id": "bitgoeul"}
    entry |= {"client_secret_file": str(tmp_path / "secret"), "origins": ["https://login.example:8443/x"]}
    path = tmp_path / "providers.json"
    path.write_text(json.dumps({"providers": [entry]}))
    settings.CONTENT_SECURITY_POLICY = policy_of_a_start(tmp_path / "home", path)
    policy = client.get("/accounts/login/")["Content-Security-Policy"]
    forms = next(part.split() for part in policy.split("; ") if part.startswith("form-action"))
    assert forms == ["form-action", "'self'", issuer, "https://login.example:8443"]
    assert policy.count(issuer) == 1, "forms may lead there; nothing else may come from there"


def policy_of_a_start(home, path):
    """What the settings make of that file of providers when a process starts."""
    home.mkdir()
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import json; from bitgoeul.site import settings; print(json.dumps(settings.CONTENT_SECURITY_POLICY))",
        ],
        env=environment(home, BITGOEUL_SIGN_IN_PROVIDERS=str(path)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# --- SAML


@pytest.fixture(scope="module")
def key_pair():
    """The key of the identity provider, and its certificate."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp.example.kr")])
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(moment).not_valid_after(moment + timedelta(days=36_500))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture
def saml(settings, tmp_path, key_pair):
    """The provider “gist” by SAML, with a role by claim."""
    (tmp_path / "idp.pem").write_text(key_pair[1])
    use(
        settings,
        tmp_path,
        {
            "id": "gist", "kind": "saml", "name": "GIST", "entity_id": ISSUER, "sso_url": f"{ISSUER}/sso",
            "certificate_file": str(tmp_path / "idp.pem"), "emails_verified": True,
            "attributes": {"uid": "uid", "email": "mail", "name": "displayName"},
            "roles": [{"claim": "affiliation", "value": "engineer", "operator": "ENGINEER"}],
            "second_factor": {"claim": "acr", "values": ["mfa"]},
        },
    )  # fmt: skip
    return key_pair


ACS = "http://localhost/accounts/saml/gist/acs/"
MAIL = "gim@gist.example"
AUDIENCE = "http://localhost/accounts/saml/gist/metadata/"


def asked(client):
    """Start at the portal; the id of the request it sends to the provider."""
    there = client.post("/accounts/saml/gist/login/")["Location"]
    assert there.startswith(f"{ISSUER}/sso")
    query = parse_qs(urlsplit(there).query)["SAMLRequest"][0]
    return ElementTree.fromstring(zlib.decompress(base64.b64decode(query), -15)).attrib["ID"]


def response_to(
    request_id, key_pair, *, audience=AUDIENCE, shift=timedelta(0), signed=True, mail="gim@gist.example"
):
    """What the provider answers, its assertion signed."""
    moment = now() + shift
    begin, end = (
        f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (moment - timedelta(minutes=2), moment + timedelta(minutes=5))
    )
    issued = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    attributes = {"uid": "gim", "mail": mail, "displayName": "김", "affiliation": "engineer", "acr": "mfa"}
    stated = "".join(
        f'<saml:Attribute Name="{name}"><saml:AttributeValue>{value}</saml:AttributeValue></saml:Attribute>'
        for name, value in attributes.items()
    )
    assertion = f"""<saml:Assertion xmlns:saml="{Names.NS_SAML}" ID="_{new_id().hex}" Version="2.0"
 IssueInstant="{issued}"><saml:Issuer>{ISSUER}</saml:Issuer><saml:Subject>
<saml:NameID Format="{Names.NAMEID_PERSISTENT}">gim</saml:NameID>
<saml:SubjectConfirmation Method="{Names.CM_BEARER}"><saml:SubjectConfirmationData NotOnOrAfter="{end}"
 Recipient="{ACS}" InResponseTo="{request_id}"/></saml:SubjectConfirmation></saml:Subject>
<saml:Conditions NotBefore="{begin}" NotOnOrAfter="{end}"><saml:AudienceRestriction>
<saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions>
<saml:AuthnStatement AuthnInstant="{issued}" SessionIndex="1"><saml:AuthnContext>
<saml:AuthnContextClassRef>{Names.AC_PASSWORD}</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>
<saml:AttributeStatement>{stated}</saml:AttributeStatement></saml:Assertion>"""
    if signed:
        private, certificate = key_pair
        assertion = OneLogin_Saml2_Utils.add_sign(
            assertion, private, certificate, sign_algorithm=Names.RSA_SHA256, digest_algorithm=Names.SHA256
        )
        assertion = assertion.decode() if isinstance(assertion, bytes) else assertion
    return wrapped(request_id, issued, assertion)


def wrapped(request_id, issued, assertion):
    return (
        f'<samlp:Response xmlns:samlp="{Names.NS_SAMLP}" xmlns:saml="{Names.NS_SAML}" ID="_{new_id().hex}"'
        f' Version="2.0" IssueInstant="{issued}" Destination="{ACS}" InResponseTo="{request_id}">'
        f'<saml:Issuer>{ISSUER}</saml:Issuer><samlp:Status><samlp:StatusCode Value="{Names.STATUS_SUCCESS}"/>'
        f"</samlp:Status>{assertion}</samlp:Response>"
    )


def answered(client, response):
    """Hand a response in, as the person's browser would; the person then signed in, or None."""
    encoded = base64.b64encode(response.encode()).decode()
    sent = client.post("/accounts/saml/gist/acs/", {"SAMLResponse": encoded})
    client.get(sent["Location"])
    told = client.get("/api/v1/me")
    return told.json() if told.status_code == 200 else None


@pytest.fixture
def browser():
    return Client(HTTP_HOST="localhost")


def test_a_signed_response_signs_in_with_its_roles(saml, browser):
    told = answered(browser, response_to(asked(browser), saml))
    assert (told["name"], told["operator_roles"]) == ("김", ["ENGINEER"])


def test_a_response_counts_once_and_only_for_who_asked(saml, browser):
    response = response_to(asked(browser), saml)
    assert answered(Client(HTTP_HOST="localhost"), response) is None, "another browser did not ask"
    assert answered(browser, response) is not None
    browser.post("/accounts/logout/")
    assert answered(browser, response) is None, "replayed"


@pytest.mark.parametrize(
    "change",
    [
        {"audience": "https://other.example/metadata/"},
        {"shift": timedelta(hours=-2)},
        {"shift": timedelta(hours=2)},
        {"signed": False},
    ],
)
def test_a_wrong_response_signs_nobody_in(saml, browser, change):
    assert answered(browser, response_to(asked(browser), saml, **change)) is None
    assert not SocialAccount.objects.exists()


def test_a_response_signed_by_another_key_signs_nobody_in(saml, browser, tmp_path):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    assert answered(browser, response_to(asked(browser), (private.decode(), saml[1]))) is None


def test_a_wrapped_signature_signs_nobody_in(saml, browser):
    """The signed assertion is moved aside and a forged one put in its place."""
    request_id = asked(browser)
    whole = response_to(request_id, saml)
    start, end = whole.index("<saml:Assertion"), whole.index("</saml:Assertion>") + len("</saml:Assertion>")
    true = whole[start:end]
    forged = response_to(request_id, saml, signed=False, mail="staff@gist.example")
    start, end = forged.index("<saml:Assertion"), forged.index("</saml:Assertion>") + len("</saml:Assertion>")
    for hidden in (
        forged[:start] + f"<samlp:Extensions>{true}</samlp:Extensions>" + forged[start:],
        forged[:end] + true + forged[end:],
        forged[: end - len("</saml:Assertion>")] + true + forged[end - len("</saml:Assertion>") :],
    ):
        assert answered(browser, hidden) is None
    assert not SocialAccount.objects.exists()


# --- The file


GOOD = {"id": "city", "kind": "oidc", "name": "n", "issuer": "https://i.example", "client_id": "c"}


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ({**GOOD, "client_secret_file": "/nowhere"}, "client_secret_file"),
        ({**GOOD}, "client_secret_file"),
        ({**GOOD, "client_secret_file": "x", "isuer": "y"}, "isuer"),
        ({**GOOD, "client_secret_file": "x", "issuer": "ftp://i.example"}, "ftp://i.example"),
        ({**GOOD, "client_secret_file": "x", "issuer": "http://i.example"}, "TLS"),
        ({**GOOD, "client_secret_file": "x", "roles": [{"claim": "a", "value": "b"}]}, "roles.0"),
        (
            {**GOOD, "client_secret_file": "x", "roles": [{"claim": "a", "value": "b", "operator": "KING"}]},
            "operator",
        ),
        ({**GOOD, "kind": "ldap"}, "kind"),
    ],
)
def test_a_wrong_file_is_refused_with_the_field(tmp_path, entry, named, capsys):
    path = tmp_path / "providers.json"
    path.write_text(json.dumps({"providers": [entry]}))
    with pytest.raises(SystemExit) as caught:
        allauth_settings.with_providers(path, public_url="https://p.example", production=True)
    assert caught.value.code == 2
    assert named in capsys.readouterr().err


def test_origins_and_claims():
    found = provider_file.ProviderFile.model_validate(
        {"providers": [{**GOOD, "client_secret_file": "x", "origins": ["https://login.example:8443/x"]}]}
    )
    assert provider_file.origins(found) == ["https://i.example", "https://login.example:8443"]
    said = claims.claims_of({"userinfo": {"amr": ["mfa"], "groups": "a"}, "id_token": {"amr": "pwd"}})
    assert said == {"amr": ["pwd"], "groups": ["a"]}, "the signed one counts"
