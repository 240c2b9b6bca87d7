"""What the web server answers."""

from django.contrib import admin
from django.urls import include, path

from hub import views

urlpatterns = [
    path("livez", views.livez, name="livez"),
    path("readyz", views.readyz, name="readyz"),
    path("metrics", views.metrics, name="metrics"),
    path("in/<slug:code>", views.receive, name="in"),
    path("api/v1/", include("hub.api.urls")),
    path("", admin.site.urls),
]
