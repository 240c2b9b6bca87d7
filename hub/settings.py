"""All settings, read from the environment. Every variable is told in .env.example and docs/operating/settings.md."""

from pathlib import Path

from hub import environment

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = environment.text("THROUGHLINE_SECRET_KEY")
DEBUG = environment.flag("THROUGHLINE_DEBUG")
ALLOWED_HOSTS = environment.words("THROUGHLINE_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = environment.words("THROUGHLINE_ORIGINS")
# TLS ends at the proxy in front in production; the demo runs on plain loopback and says so.
SECURE = environment.flag("THROUGHLINE_TLS")

INSTALLED_APPS = [
    "hub.apps.HubConfig",
    "mappings",
    "billing",
    "erp",
    "hub.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "simple_history",
    "import_export",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "hub.middleware.ContentSecurityPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "hub.middleware.NoStore",
    "hub.middleware.Correlation",
]

ROOT_URLCONF = "hub.urls"
WSGI_APPLICATION = "hub.wsgi.application"

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
    }
]

DATABASES = {
    "default": {
        # Whoever waits longer for a lock gives up, having done nothing: the sender sends again, the sweep rings again.
        **environment.database("DATABASE_URL", lock_timeout_s=environment.number("THROUGHLINE_LOCK_TIMEOUT_S", 20)),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ATOMIC_REQUESTS = False  # verbs open their own transaction; a request may hold several

REDIS_URL = environment.text("REDIS_URL")

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

LANGUAGE_CODE = "en-us"
TIME_ZONE = environment.text("THROUGHLINE_TIME_ZONE", "UTC")
USE_I18N = False
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "var" / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True  # no collectstatic step is needed to run; production may still run it

SESSION_COOKIE_AGE = 12 * 60 * 60  # absolute limit of a session: a shift
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = SECURE
CSRF_COOKIE_SECURE = SECURE
SECURE_SSL_REDIRECT = SECURE
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE
SECURE_HSTS_PRELOAD = SECURE
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SECURE else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Django 6's name for the same thing, so that the middleware can go when Django comes with its own.
SECURE_CSP = {
    "default-src": ["'self'"],
    "object-src": ["'none'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
    "form-action": ["'self'"],
    "img-src": ["'self'", "data:"],
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 25 * 1024 * 1024

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "hub.api.authentication.KeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["hub.api.permissions.VerbPermission"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "hub.api.pagination.NewestFirst",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "hub.api.problems.handle",
    "COERCE_DECIMAL_TO_STRING": True,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Throughline",
    "DESCRIPTION": "The integration hub's API: what was carried, what is held, and the verbs that move it on.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
}

SIMPLE_HISTORY_HISTORY_CHANGE_REASON_USE_TEXT_FIELD = True
SIMPLE_HISTORY_FILEFIELD_TO_CHARFIELD = True

# The queue. Lanes are how many keys' worth of order can move at once; changing it needs an empty queue.
LANES = environment.number("THROUGHLINE_LANES", 16)
# How many worker processes share the lanes: each takes at most its share at a time.
WORKERS = environment.number("THROUGHLINE_WORKERS", 2)
BATCH_SIZE = environment.number("THROUGHLINE_BATCH_SIZE", 500)
LEASE_S = environment.number("THROUGHLINE_LEASE_S", 60)
MAX_ATTEMPTS = environment.number("THROUGHLINE_MAX_ATTEMPTS", 5)
# A replay of more items than this needs a second person; the most that one replay may take.
REPLAY_APPROVAL_ITEMS = environment.number("THROUGHLINE_REPLAY_APPROVAL_ITEMS", 100)
REPLAY_MAX_ITEMS = environment.number("THROUGHLINE_REPLAY_MAX_ITEMS", 100_000)
# Keys that seal partners' secrets: "id:base64 of 32 bytes", the first one seals, all of them open.
VAULT_KEYS = environment.words("THROUGHLINE_VAULT_KEYS")

# Mail to whoever an alert tells. Without a server there, episodes say that nobody could be told.
EMAIL_HOST = environment.text("THROUGHLINE_SMTP_HOST", "localhost")
EMAIL_PORT = environment.number("THROUGHLINE_SMTP_PORT", 25)
EMAIL_HOST_USER = environment.text("THROUGHLINE_SMTP_USER", "")
EMAIL_HOST_PASSWORD = environment.text("THROUGHLINE_SMTP_PASSWORD", "")
EMAIL_USE_TLS = environment.flag("THROUGHLINE_SMTP_TLS")
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = environment.text("THROUGHLINE_MAIL_FROM", "throughline@localhost")

# From this hour on (of TIME_ZONE) the day's digest of alerts is sent; folders whose disks the disk rule looks at.
DIGEST_HOUR = environment.number("THROUGHLINE_DIGEST_HOUR", 7)
DISK_PATHS = environment.words("THROUGHLINE_DISK_PATHS")

LOGGING_CONFIG = None  # hub.logs sets structured logging up, from HubConfig.ready()
# Spans for OpenTelemetry; needs the extra "otel". Where they go is told by OpenTelemetry's own variables.
TRACES = environment.flag("THROUGHLINE_TRACES")
LOG_LEVEL = environment.text("THROUGHLINE_LOG_LEVEL", "INFO")

# The doors. A control id (MSH-10) may come again with other content after so many days: senders' counters wrap.
CONTROL_ID_WINDOW_DAYS = environment.number("THROUGHLINE_CONTROL_ID_WINDOW_DAYS", 30)
# Whole months of messages, facts and deliveries that stay; 0 keeps all of them. Older ones go into the archive first.
RETENTION_MONTHS = environment.number("THROUGHLINE_RETENTION_MONTHS", 0)
ARCHIVE_FOLDER = environment.text("THROUGHLINE_ARCHIVE_FOLDER", "")
MAX_MESSAGE_BYTES = environment.number("THROUGHLINE_MAX_MESSAGE_BYTES", 5 * 1024 * 1024)
# The listener opens ports of other addresses than loopback with TLS, or when plain text is allowed here by name and
# every endpoint behind the port has an allow-list. An endpoint may name certificates of its own in its settings.
MLLP_HOST = environment.text("THROUGHLINE_MLLP_HOST", "127.0.0.1")
# A statement of the listener that takes longer is given up, and its senders are asked to send again (AE).
DOOR_TIMEOUT_S = environment.number("THROUGHLINE_DOOR_TIMEOUT_S", 15)
MLLP_PLAINTEXT = environment.flag("THROUGHLINE_MLLP_PLAINTEXT")
MLLP_TLS = {
    "certificate": environment.text("THROUGHLINE_MLLP_CERTIFICATE", ""),
    "key": environment.text("THROUGHLINE_MLLP_KEY", ""),
    "client_ca": environment.text("THROUGHLINE_MLLP_CLIENT_CA", ""),
}

# Inner networks that the hub may call, by name: whoever may edit an endpoint does not choose them.
OUTBOUND_NETWORKS = environment.networks("THROUGHLINE_OUTBOUND_NETWORKS")
# Folders below which endpoints may name theirs; without any, nothing is read from folders or dropped into them.
FOLDER_ROOTS = environment.words("THROUGHLINE_FOLDER_ROOTS")
