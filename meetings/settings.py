"""Django settings, all from `meetings.environment`."""

from __future__ import annotations

from datetime import timedelta

import django_stubs_ext
from csp.constants import NONE, SELF

from meetings.environment import BASE_DIR, database_config, read_environment
from meetings.file_modes import keep_to_owner, tighten
from meetings.logs import logging_config

# Lets admin classes name their model in brackets, as the type checker wants.
django_stubs_ext.monkeypatch()

# Before anything is made: the secret key, the database, and what children of this process write.
keep_to_owner()
ENVIRONMENT = read_environment()

SECRET_KEY = ENVIRONMENT.secret_key
DEBUG = ENVIRONMENT.debug
ALLOWED_HOSTS = ENVIRONMENT.allowed_hosts
CSRF_TRUSTED_ORIGINS = ENVIRONMENT.trusted_origins

INSTALLED_APPS = [
    "meetings.apps.ParlanceAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "servestatic.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
    "meetings.apps.SignInAttemptsConfig",
    "meetings",
]

MIDDLEWARE = [
    "meetings.web.middleware.trusted_proxies",
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "csp.middleware.CSPMiddleware",
    "meetings.web.middleware.sockets_policy",
    "meetings.web.middleware.permissions_policy",
    "meetings.web.middleware.cross_origin",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "meetings.web.middleware.reader_time_zone",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
    "meetings.web.middleware.busy_hashing",
]

ROOT_URLCONF = "meetings.urls"
FORCE_SCRIPT_NAME = ENVIRONMENT.base_path or None
ASGI_APPLICATION = "meetings.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": database_config(ENVIRONMENT.database_url)}
# Kept between calls: Channels asks after each whether a connection is old. Pages close theirs (`meetings.asgi`).
DATABASES["default"]["CONN_MAX_AGE"] = 60
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
if DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    DATABASES["default"]["ENGINE"] = "meetings.postgresql"
    DATABASES["default"]["OPTIONS"] = {
        "application_name": "parlance",
        "connect_timeout": 5,
        # A link that is cut is noticed, by who waits for an answer and by who sends.
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
        # A process that is stopped within a transaction does not keep its rows from the one that takes over.
        "options": "-c statement_timeout=60s -c idle_in_transaction_session_timeout=60s",
        # What the address itself says, such as `?sslmode=require`, or `?options=` for a pooler that takes none.
        **DATABASES["default"].get("OPTIONS", {}),
    }
elif DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        # Writers queue at BEGIN instead of failing in the middle of a transaction.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # FULL: the audio log is trimmed behind the committed cursor, so a commit must outlive a power cut.
        # secure_delete: what is deleted is overwritten, not only given up (see `meetings.store.deletion`).
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON;"
        ),
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

SIGN_IN_BACKEND = "django.contrib.auth.backends.ModelBackend"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", SIGN_IN_BACKEND]
if ENVIRONMENT.openid is not None:
    AUTHENTICATION_BACKENDS.append("meetings.accounts.openid.OpenIdBackend")
PASSWORD_HASHERS = ["meetings.accounts.password_hashing.PasswordHasher"]
# Five wrong passwords for a name from an address, and the two wait a quarter of an hour (`accounts.attempts`).
AXES_HANDLER = "meetings.accounts.login_attempts.AttemptHandler"
AXES_FAILURE_LIMIT = "meetings.accounts.login_attempts.tries"
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
# Who is locked and tries on leaves no row, and is not locked any longer for it.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_HTTP_RESPONSE_CODE = 429
AXES_LOCKOUT_TEMPLATE = "registration/locked.html"
AXES_CLIENT_IP_CALLABLE = "meetings.accounts.client_address.request_block"
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False
AXES_ENABLE_ADMIN = False

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
# Of one-time sign-in links (`accounts.signin`); no mail with such a link is ever sent.
PASSWORD_RESET_TIMEOUT = 900
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "meetings"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = "en"
# By their own names. `pt` is Portuguese of Portugal, as in Django.
LANGUAGES = [("en", "English"), ("pt", "Português (Portugal)"), ("pt-br", "Português (Brasil)")]
# Ours before those of the libraries, which translate some of the same texts otherwise.
LOCALE_PATHS = [BASE_DIR / "meetings" / "locale"]
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = f"{ENVIRONMENT.base_path}/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
SERVESTATIC_USE_FINDERS = True
SERVESTATIC_AUTOREFRESH = DEBUG

# Nothing from elsewhere, no inline script or style: captions are text that strangers speak.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        # Safari up to 15.3 does not count sockets; `middleware.sockets_policy` adds the page's own.
        "connect-src": [SELF],
    },
}
# Tokens are in addresses, so no other site is told them. Not "no-referrer": browsers then send forms with
# "Origin: null", which the CSRF check refuses.
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = LANGUAGE_COOKIE_PATH = f"{ENVIRONMENT.base_path}/"
X_FRAME_OPTIONS = "DENY"
if ENVIRONMENT.https:
    # Browsers take a cookie of these prefixes only from a safe page; of __Host, for all paths of this host alone.
    prefix = "__Secure" if ENVIRONMENT.base_path else "__Host"
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = f"{prefix}-sessionid", f"{prefix}-csrftoken"
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = True
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [rf"^({ENVIRONMENT.base_path[1:]}/)?(healthz|readyz|metrics)$"]
    # Only `middleware.trusted_proxies` lets this header through.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000
    # Other names of the domain may be served by others, who were not asked; a list of browsers takes months to leave.
    SECURE_HSTS_INCLUDE_SUBDOMAINS = ENVIRONMENT.hsts in ("subdomains", "preload")
    SECURE_HSTS_PRELOAD = ENVIRONMENT.hsts == "preload"
    SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

LOGGING_CONFIG = None
logging_config(debug=DEBUG, log_format=ENVIRONMENT.log_format)
tighten(ENVIRONMENT.data)
