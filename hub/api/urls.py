"""`/api/v1/`: the resources of the hub and of every app, the OpenAPI document and its page."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404
from django.urls import path, re_path
from django.utils.module_loading import autodiscover_modules
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.views import APIView

from hub.api.cases import Cases
from hub.api.deliveries import Deliveries, Dispatches
from hub.api.endpoints import Endpoints
from hub.api.late import Late
from hub.api.lineage import Lineage
from hub.api.messages import Messages
from hub.api.replays import Replays
from hub.api.router import router

router.register("endpoints", Endpoints, basename="endpoints")
router.register("messages", Messages, basename="messages")
router.register("deliveries", Deliveries, basename="deliveries")
router.register("dispatches", Dispatches, basename="dispatches")
router.register("replays", Replays, basename="replays")
router.register("cases", Cases, basename="cases")
router.register("late", Late, basename="late")
router.register("lineage", Lineage, basename="lineage")
# The other apps stand above the hub, so they are found, not imported: each app's `api.py` registers its own.
autodiscover_modules("api")


class NothingHere(APIView):
    """Any other path below `/api/v1/`: a problem like every other one, not a page for people."""

    permission_classes = (AllowAny,)
    schema = None
    http_method_names = ()

    def http_method_not_allowed(self, *_: Any, **__: Any) -> Response:
        """Whatever the method."""
        raise Http404


urlpatterns = [
    *router.urls,
    path("schema", SpectacularJSONAPIView.as_view(), name="schema"),
    path(
        "docs",
        login_required(SpectacularSwaggerSplitView.as_view(template_name="hub/api_docs.html")),
        name="api-docs",
    ),
    re_path(r"", NothingHere.as_view(), name="api-nothing"),
]
