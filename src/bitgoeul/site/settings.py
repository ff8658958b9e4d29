"""Django settings of one installation, from the typed environment in ``site/env.py``."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import django_stubs_ext
from csp.constants import NONE, SELF

from bitgoeul.accounts import allauth_settings

from . import logs
from .database import django_database
from .env import kept_secret_key, load_env, networks, refuse_half_restored

django_stubs_ext.monkeypatch()

ENV = load_env()
HOME: Path = ENV.home
SITE = Path(__file__).resolve().parent
ROOMS = ["accounts", "audit", "compute", "content", "ledger", "outcomes", "programmes", "resources", "trials"]

refuse_half_restored(HOME)
PRODUCTION = ENV.mode == "production"
DEBUG = False
SECRET_KEY = ENV.secret_key or kept_secret_key(HOME)
(HOME / "static").mkdir(parents=True, exist_ok=True)
ALLOWED_HOSTS = [host.strip() for host in ENV.allowed_hosts.split(",") if host.strip()]
PUBLIC_URL = ENV.public_url or f"http://localhost:{ENV.port}"
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PRODUCTION else []

INSTALLED_APPS = [
    "bitgoeul.site.apps.SiteConfig",
    *(f"bitgoeul.{room}" for room in ROOMS),
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.socialaccount.providers.saml",
    "csp",
    "ninja",
]

TRUSTED_PROXIES = networks(ENV.trusted_proxies)
if TRUSTED_PROXIES:  # ProxyMiddleware empties the header of everybody else
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

MIDDLEWARE = [
    "bitgoeul.site.middleware.ProxyMiddleware",
    "bitgoeul.site.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "bitgoeul.site.middleware.InterfaceLanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "bitgoeul.accounts.middleware.SignInMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "bitgoeul.site.middleware.DomainErrorMiddleware",
]

ROOT_URLCONF = "bitgoeul.site.urls"
WSGI_APPLICATION = "bitgoeul.site.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": [
                "django.templatetags.i18n",
                "django.templatetags.static",
                "bitgoeul.site.templatetags.portal",
                "bitgoeul.site.templatetags.kept",
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "bitgoeul.site.context.portal",
            ],
        },
    }
]

DATABASES = {"default": django_database(ENV.database_url, HOME)}

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/home/"
SIGN_IN = allauth_settings.with_providers(ENV.sign_in_providers, public_url=PUBLIC_URL, production=PRODUCTION)
SIGN_IN_PROVIDERS = SIGN_IN["SIGN_IN_PROVIDERS"]
globals().update(SIGN_IN)

# Without an SMTP server mail is written as files and, in an example, shown at /mail/.
SMTP = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_BACKEND = SMTP if ENV.mail_host else "bitgoeul.accounts.mail.FileBackend"
EMAIL_FILE_PATH = HOME / "mail"
EMAIL_HOST, EMAIL_PORT = ENV.mail_host, ENV.mail_port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = ENV.mail_user, ENV.mail_password
EMAIL_USE_TLS, EMAIL_TIMEOUT = True, 20
DEFAULT_FROM_EMAIL = ENV.mail_from

LANGUAGE_CODE = "ko"
LANGUAGES = [("ko", "한국어"), ("en", "English")]
USE_I18N = True
TIME_ZONE = "Asia/Seoul"
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = HOME / "static"
WHITENOISE_USE_FINDERS = not PRODUCTION
WHITENOISE_MAX_AGE = 3600
STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": HOME / "content"},
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
FILE_UPLOAD_TEMP_DIR = None
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
UPLOAD_LIMIT_BYTES = ENV.upload_limit_mib * 1024 * 1024
UPLOAD_TOTAL_BYTES = UPLOAD_LIMIT_BYTES + DATA_UPLOAD_MAX_MEMORY_SIZE
DATA_UPLOAD_MAX_NUMBER_FILES = 20
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500
PROJECT_STORAGE_BYTES = ENV.project_storage_mib * 1024 * 1024
FILE_UPLOAD_HANDLERS = [
    "bitgoeul.site.uploads.LimitedUpload",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_AGE = timedelta(seconds=SESSION_COOKIE_AGE)
IDLE, IDLE_OPERATOR = timedelta(minutes=ENV.idle_minutes), timedelta(minutes=ENV.idle_minutes_operator)
SECOND_FACTOR_FOR_OPERATORS = ENV.second_factor == "required"
ALLAUTH_TRUSTED_PROXY_COUNT = 0  # ProxyMiddleware has set REMOTE_ADDR
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SECURE_HSTS_SECONDS = ENV.hsts_days * 24 * 3600 if PRODUCTION else 0
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "bitgoeul.site.pages.errors.forbidden"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF, *SIGN_IN["SIGN_IN_ORIGINS"]],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

LOGGING = logs.config(ENV.log_level)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SILENCED_SYSTEM_CHECKS: list[str] = []
CACHES = {
    "default": {
        "BACKEND": "bitgoeul.site.shared_cache.SharedCache",
        "LOCATION": HOME / "cache",
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    }
}

CENTRE = ENV.centre
KEYS = HOME / "keys"
HEADS = HOME / "heads"
ENGINE_HOME = HOME / "engine"
EXAMPLES = SITE.parents[2] / "examples" / "gwangju"
