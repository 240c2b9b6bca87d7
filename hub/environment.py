"""The typed reader of environment settings. A wrong value stops the start and says what to do."""

import os
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str | None = None) -> str:
    """The value of a variable; without default it is required."""
    value = os.environ.get(name, default)
    if value is None or (default is None and not value):
        raise ImproperlyConfigured(
            f"{name} is not set. See .env.example for what it means; `make demo` sets it for you."
        )
    return value


def flag(name: str, default: bool = False) -> bool:
    """true/false, yes/no, 1/0."""
    value = os.environ.get(name, "true" if default else "false").strip().lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off", ""}:
        return False
    raise ImproperlyConfigured(f"{name} is {value!r}; use true or false.")


def number(name: str, default: int) -> int:
    """A whole number."""
    value = os.environ.get(name, str(default))
    try:
        return int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} is {value!r}; use a whole number.") from None


def words(name: str, default: str = "") -> list[str]:
    """A list, separated by commas."""
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


def networks(name: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """A list of networks as 10.20.0.0/16, separated by commas; a single address is a network of one."""
    found = []
    for word in words(name):
        try:
            found.append(ip_network(word))
        except ValueError:
            raise ImproperlyConfigured(f"{name} names {word!r}; write networks as 10.20.0.0/16, with commas.") from None
    return tuple(found)


def database(name: str, *, lock_timeout_s: int = 0) -> dict[str, object]:
    """Django's database entry out of a postgresql:// URL. PostgreSQL is the only database this product runs on.

    A statement of ours waits at most `lock_timeout_s` for somebody else's lock; 0 for as long as it takes.
    """
    url = urlsplit(text(name))
    if url.scheme not in {"postgresql", "postgres"}:
        raise ImproperlyConfigured(f"{name} must be a postgresql:// URL; no other database is supported.")
    options = {key: unquote(value) for key, _, value in (pair.partition("=") for pair in url.query.split("&")) if value}
    if lock_timeout_s:
        options["options"] = f"{options.get('options', '')} -c lock_timeout={lock_timeout_s * 1000}".strip()
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(url.path.lstrip("/")) or "throughline",
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": options.pop("host", "") or unquote(url.hostname or ""),
        "PORT": str(url.port or ""),
        "OPTIONS": options,
    }
