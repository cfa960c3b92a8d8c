"""Settings of the reference deployment. Everything a site decides comes from the environment (see `deploy/OPERATING.md`)."""

import json
from datetime import timedelta

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

from deploy.databases import database_settings
from deploy.environment import ROOT, read_environment
from deploy.logs import logging_config
from deploy.openid_settings import openid_providers, provider_origins
from dispensary.api.schema_settings import SCHEMA

ENV = read_environment()


def _flag(name: str, default: bool) -> bool:
    return ENV.get(name, "yes" if default else "no").lower() in {"1", "yes", "true", "on"}


def _list(name: str, default: str) -> list[str]:
    return [item.strip() for item in ENV.get(name, default).split(",") if item.strip()]


# --- what this site is ------------------------------------------------------------------------------------------------------------
DEBUG = False
# Without a key each process makes its own: good enough to run a command, and `check --deploy` says that it is missing.
SECRET_KEY = ENV.get("SECRET_KEY") or get_random_secret_key()
SECRET_KEY_GIVEN = "SECRET_KEY" in ENV
SECRET_KEY_FALLBACKS = _list("SECRET_KEY_FALLBACKS", "")
ALLOWED_HOSTS = _list("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = _list("CSRF_TRUSTED_ORIGINS", "")
ROOT_URLCONF = "deploy.urls"
WSGI_APPLICATION = "deploy.wsgi.application"
LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"  # each pharmacy has its own zone; the server's must not matter
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "deploy",
    "dispensary",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",  # for the pages of sessions and passkeys
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "axes",
    "csp",
    "django_htmx",
    "django_structlog",
    "django_prometheus",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "deploy.logs.RouteLogMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "deploy.sessions.ActivityMiddleware",
    "deploy.accounts.AccountPagesMiddleware",
    "axes.middleware.AxesMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "deploy" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


# --- database: one PostgreSQL, seen through up to three roles ------------------------------------------------------------------------
# A connection pooler in transaction mode stands before DATABASE_URL (PgBouncer from 1.21): no start-up options, no prepared statements.
DATABASE_POOLER = _flag("DATABASE_POOLER", False)
# The web server and the workers set it (`wsgi.py`, `celery.py`): a page ends, a command may take the time that it needs.
STATEMENT_TIMEOUT = ENV.get("STATEMENT_TIMEOUT", "")

# `default` is the application's role: it can neither own tables nor touch the log but through its functions. `owner` runs migrations,
# `sealer` signs checkpoints. A site that gives only DATABASE_URL runs everything through `default`, and a system check says what that costs.
DATABASES = {
    alias: database_settings(
        variable, url, is_pooled=DATABASE_POOLER and alias == "default", statement_timeout=STATEMENT_TIMEOUT
    )
    for alias, variable in {
        "default": "DATABASE_URL",
        "owner": "DATABASE_OWNER_URL",
        "sealer": "DATABASE_SEALER_URL",
        "eraser": "DATABASE_ERASER_URL",
        "replica": "DATABASE_REPLICA_URL",
    }.items()
    if (url := ENV.get(variable, "postgresql:///dispensary" if alias == "default" else ""))
}
DATABASE_ROUTERS = ["dispensary.replica.ReplicaRouter"] if "replica" in DATABASES else []

# --- Redis protocol: a broker that may be lost at any time ----------------------------------------------------------------------------
REDIS_URL = ENV.get("REDIS_URL", "redis://127.0.0.1:6379")
REDIS_MASTER = ENV.get("REDIS_MASTER", "")  # the name under which the Sentinels in REDIS_URL know the broker
if REDIS_URL.startswith("sentinel:") != bool(REDIS_MASTER):
    raise ImproperlyConfigured(
        "REDIS_URL and REDIS_MASTER do not fit together. Expected: both for Sentinels (sentinel://:password@host1:26379;"
        "sentinel://:password@host2:26379 and the master's name), or REDIS_URL alone (redis://...)."
    )
# The cache holds the counts of wrong second factors and the codes that were used, alone. It is in the database, as sessions and wrong
# passwords are: people sign in while Redis is away, and losing it must not reset the count of guesses.
CACHES = {
    "default": {
        "BACKEND": "deploy.caches.CodeCache",
        "LOCATION": "deploy_cacheentry",
        "OPTIONS": {"MAX_ENTRIES": 100_000},  # beyond it entries are dropped, expired or not
    }
}

# --- people ---------------------------------------------------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
    "deploy.pins.PinBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGOUT_REDIRECT_URL = "/accounts/login/"
ACCOUNT_ADAPTER = "deploy.accounts.ClosedAccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_NOTIFICATIONS = True  # who has an e-mail address hears of each change to their account
ACCOUNT_SESSION_REMEMBER = False  # a counter is a shared machine
ACCOUNT_REAUTHENTICATION_REQUIRED = True  # password or factor again, before somebody changes how they sign in
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_ALLOW_UNVERIFIED_EMAIL = True  # a manager lets people in; who was invited by e-mail must be able to add a factor
MFA_ADAPTER = "deploy.factors.EncryptedFactorAdapter"
MFA_TOTP_ISSUER = "Dispensary"
MFA_TOTP_TOLERANCE = 1  # the code before and after, too: people type slowly (RFC 6238, 5.2)
USERSESSIONS_TRACK_ACTIVITY = True
# Sign-in by an organisation's own OpenID provider, where one is named. It opens accounts that a manager has made, and makes none.
OIDC_SERVER_URL = ENV.get("OIDC_SERVER_URL", "")
OIDC_USERNAME_CLAIM = ENV.get("OIDC_USERNAME_CLAIM", "")
SOCIALACCOUNT_PROVIDERS = openid_providers(
    OIDC_SERVER_URL, ENV.get("OIDC_CLIENT_ID", ""), ENV.get("OIDC_CLIENT_SECRET", ""), ENV.get("OIDC_NAME", "")
)
SOCIALACCOUNT_ADAPTER = "deploy.openid.LinkedAccountAdapter"
SOCIALACCOUNT_AUTO_SIGNUP = False
SOCIALACCOUNT_EMAIL_VERIFICATION = "none"
SOCIALACCOUNT_REQUESTS_TIMEOUT = 5  # seconds; a provider that never answers must not hold a process
# Lock out the pair: by name alone a stranger locks out a pharmacist, by address alone one typing error locks out a pharmacy.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_CALLABLE = "deploy.accounts.name_tried"
AXES_CLIENT_IP_CALLABLE = "deploy.accounts.client_address"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "account/locked_out.html"
AXES_VERBOSE = False
# No limit of an address: a whole pharmacy has one. `login_failed` is left for second factors, by person, after a right password.
ACCOUNT_RATE_LIMITS = {"login": None, "login_failed": "5/5m/key"}
MFA_RATE_LIMITS = {"webauthn_login": None}  # a passkey cannot be guessed
ALLAUTH_TRUSTED_PROXY_COUNT = int(ENV.get("TRUSTED_PROXIES", "0"))  # the last so many of X-Forwarded-For are ours
SESSION_ENGINE = "deploy.sessions"
SESSION_COOKIE_AGE = 12 * 3600  # one shift
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "dispensary.counter.session.refuse_form"

# --- the wire -------------------------------------------------------------------------------------------------------------------------
# The demo on 127.0.0.1 says HTTPS=no; everybody else terminates TLS in front and says so with X-Forwarded-Proto.
HTTPS = _flag("HTTPS", True)
SECURE_SSL_REDIRECT = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
# Nothing to other sites; our own must get it: with "no-referrer" browsers send `Origin: null` with every form, and the CSRF check refuses it.
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000  # bytes; the largest prescription seen is under 30 kB
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF, *provider_origins(OIDC_SERVER_URL, ENV.get("OIDC_SIGN_IN_ORIGIN", ""))],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}

# A page uses none of the browser's devices but a passkey.
PERMISSIONS_POLICY: dict[str, list[str] | str] = {
    **{name: [] for name in ("camera", "display-capture", "geolocation", "microphone", "payment", "serial", "usb")},
    "publickey-credentials-get": "self",
}

# --- the API --------------------------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "dispensary.api.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
SPECTACULAR_SETTINGS = {
    **SCHEMA,
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

REMINDER_TICK_SECONDS = float(ENV.get("REMINDER_TICK_SECONDS", "15"))  # beat: how often to look for what is due

# --- settings of the app (see `dispensary/conf.py`) ---------------------------------------------------------------------------------
DISPENSARY = {
    "person_proof": "deploy.proofs.AccountProof",
    "address_secrets": tuple(_list("ADDRESS_SECRETS", "")),
    "digest_secret": ENV.get("DIGEST_SECRET", ""),
    "replica": "replica" if "replica" in DATABASES else "",
    "public_url": ENV.get("PUBLIC_URL", ""),
    "text_url": ENV.get("TEXT_URL", ""),
    # Which file in dispensary/channels/ carries which medium, and its options; both as JSON.
    "channels": json.loads(ENV.get("CHANNELS", '{"email": "email"}')),
    "channel_options": json.loads(ENV.get("CHANNEL_OPTIONS", "{}")),
    "reminder_lease": int(ENV.get("REMINDER_LEASE_SECONDS", "120")),
    "reminder_batch": int(ENV.get("REMINDER_BATCH", "50")),
    "reminder_lanes": int(ENV.get("SEND_LANES", "2")),
    "audit_origin": ENV.get("AUDIT_ORIGIN", "dispensary.example"),
    # Given to the sealer's process alone: no web server or worker can sign a checkpoint.
    "audit_key_file": ENV.get("AUDIT_KEY_FILE") or None,
    "audit_state_folder": ENV.get("AUDIT_STATE_FOLDER") or None,
    "audit_retention_vkeys": ENV.get("AUDIT_RETENTION_VKEYS") or None,
    "audit_seal_standbys": int(ENV.get("AUDIT_SEAL_STANDBYS", "0")),
    "audit_witness_url": ENV.get("AUDIT_WITNESS_URL", ""),
    "audit_witness_vkeys": ENV.get("AUDIT_WITNESS_VKEYS") or None,
    "audit_tiles_folder": ENV.get("AUDIT_TILES_FOLDER") or None,
}

# --- files, mail, logs ----------------------------------------------------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = ENV.get("STATIC_ROOT", str(ROOT / ".run" / "static"))
# `collectstatic` gives every file a name that changes with its contents; the demo serves them from where they lie instead.
WHITENOISE_USE_FINDERS = _flag("STATIC_FROM_SOURCE", False)
_STATIC_STORAGE = (
    "django.contrib.staticfiles.storage.StaticFilesStorage"
    if WHITENOISE_USE_FINDERS
    else "whitenoise.storage.CompressedManifestStaticFilesStorage"
)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": _STATIC_STORAGE},
}
EMAIL_BACKEND = ENV.get("EMAIL_BACKEND", "django.core.mail.backends.smtp.EmailBackend")
if EMAIL_BACKEND.startswith("anymail."):
    INSTALLED_APPS.append("anymail")
# Its keys, and the secret of its webhooks. A call must end within the 25 s on which a reminder's lease relies; its own default is 30.
ANYMAIL = {"REQUESTS_TIMEOUT": (3, 15), **json.loads(ENV.get("ANYMAIL", "{}"))}
EMAIL_HOST = ENV.get("EMAIL_HOST", "localhost")
EMAIL_PORT = int(ENV.get("EMAIL_PORT", "25"))
EMAIL_HOST_USER = ENV.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = ENV.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = _flag("EMAIL_USE_TLS", False)
EMAIL_TIMEOUT = 10  # seconds; a mail server that never answers must not hold a reminder's lease
DEFAULT_FROM_EMAIL = ENV.get("DEFAULT_FROM_EMAIL", "pharmacy@example.org")
LOGGING = logging_config(ENV.get("LOG_LEVEL", "INFO"))
# GET /metrics answers only to this bearer token, and does not exist without one.
METRICS_TOKEN = ENV.get("METRICS_TOKEN", "")
PROMETHEUS_EXPORT_MIGRATIONS = False
