"""Who is calling: a machine by its key; browser sessions are REST framework's own."""

from typing import Any

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from hub import machines
from hub.access import Actor
from hub.errors import NotAllowed


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer tl_...`. A header that is there and not valid ends the request: no other way is tried."""

    def authenticate(self, request: Request) -> tuple[Any, Actor] | None:
        """The service account and the actor with the key's scopes."""
        header = get_authorization_header(request)
        if not header:
            return None
        try:
            actor = machines.authenticate(header.decode("latin-1"))
        except NotAllowed as error:
            raise AuthenticationFailed(error.text, code=error.code) from error
        return actor.user, actor

    def authenticate_header(self, request: Request) -> str:
        """Makes the refusal a 401."""
        return 'Bearer realm="throughline"'
