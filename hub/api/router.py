"""Where every app's `api.py` registers its resources, as `admin.py` does with the admin site."""

from rest_framework.routers import SimpleRouter

router = SimpleRouter(trailing_slash=False)
