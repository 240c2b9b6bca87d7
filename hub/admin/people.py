"""People and machines: users with their roles and facilities, what roles may do, keys of machines."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from hub import access, machines, navigation, shapes
from hub.admin import verbs
from hub.admin.base import Block, EditableAdmin, EvidenceAdmin
from hub.admin.columns import Column, Filter, by_field
from hub.errors import HubError
from hub.models import ApiKey, FacilityGrant
from hub.viewer import Viewer, viewer

admin.site.unregister(User) if admin.site.is_registered(User) else None
admin.site.unregister(Group) if admin.site.is_registered(Group) else None


class GrantInline(admin.TabularInline):
    """The facilities whose rows the user sees."""

    model = FacilityGrant
    extra = 1
    verbose_name = "facility"
    verbose_name_plural = "facilities: a facility's code, or * for all of them"


def user_state(user: User) -> Any:
    """Whether a user can log in, as a pill."""
    return shapes.pill("active", "Active") if user.is_active else shapes.pill("inactive", "Inactive")


@admin.register(User)
class UserAdmin(EditableAdmin, DjangoUserAdmin):
    """Users get roles and facilities; single permissions are not handed out by hand."""

    intro = "Who may log in, in which role, for which facilities. Users are deactivated, never deleted."
    search_hint = "User name, name or e-mail"
    order = ("username",)
    inlines = (GrantInline,)
    filter_horizontal = ()
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("username",)}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("May", {"fields": ("is_active", "is_staff", "is_superuser", "groups")}),
        ("Seen", {"fields": ("last_login", "date_joined")}),
    )
    columns = (
        Column("User", "username"),
        Column("Name", lambda u: u.get_full_name()),
        Column("Roles", lambda u: ", ".join(access.ROLES.get(g.name, g.name) for g in u.groups.all())),
        Column("Facilities", lambda u: ", ".join(sorted(g.facility for g in u.facility_grants.all()))),
        Column("Last log-in", "last_login", "time"),
        Column("Status", user_state, "status"),
    )
    filters = (Filter("role", "Role", dict(access.ROLES), by_field("groups__name")),)

    def listed(self, queryset: QuerySet[Any], who: Viewer) -> QuerySet[Any]:
        """With roles and grants, one query each for the page."""
        return queryset.prefetch_related("groups", "facility_grants")

    def search(self, queryset: QuerySet[Any], term: str) -> tuple[QuerySet[Any], bool]:
        """By any of the names."""
        found = queryset.none()
        for field in ("username", "first_name", "last_name", "email"):
            found = found | queryset.filter(**{f"{field}__icontains": term})
        return found, True

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Six roles are boxes to tick, not a list to scroll."""
        found = super().formfield_for_manytomany(db_field, request, **kwargs)
        if found is not None and db_field.name == "groups":
            found.widget = forms.CheckboxSelectMultiple()
            found.label_from_instance = lambda group: access.ROLES.get(group.name, group.name)
            found.label = "Roles"
            found.help_text = "Cases are owned by roles; each role's permissions are on its page."
        return found

    def blocks(self, row: User, who: Viewer) -> list[Block]:
        """A way to a new password; nothing of the old one is shown."""
        if not who.may("auth.change_user") or (row.is_superuser and not who.actor.user.is_superuser):
            return []
        return [Block("Password", "admin/blocks/password.html", {"url": self._password_url(row)})]

    def state(self, row: User) -> Any:
        """Whether the user can log in."""
        return user_state(row)

    def _password_url(self, row: User) -> str:
        return reverse("admin:auth_user_password_change", args=[row.pk])

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Only a superuser makes superusers; and nobody raises their own roles."""
        fixed = tuple(self.readonly_fields)
        if not request.user.is_superuser:
            fixed += ("is_superuser",)
            if obj is not None and (obj.pk == request.user.pk or obj.is_superuser):
                fixed += ("groups", "is_staff", "is_active", "username")
        return fixed

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """Only a superuser sets a superuser's password: it would be a way to become one."""
        target = self.get_object(request, id)
        if target is not None and target.is_superuser and not request.user.is_superuser:
            verbs.deny("admin.set_password", target, viewer(request).actor)
        return super().user_change_password(request, id, form_url)

    def get_inline_instances(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Grants come after the user exists; nobody widens their own."""
        if obj is None or (obj.pk == request.user.pk and not request.user.is_superuser):
            return []
        return super().get_inline_instances(request, obj)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Ours, on the page."""
        return EditableAdmin.history_view(self, request, object_id, extra_context)


@admin.register(Group)
class RoleAdmin(EvidenceAdmin):
    """What each role may do. Roles are data of the product, applied by a command; here they are read."""

    intro = "Roles and what each may do. They come with the product, so that a reviewer can read them in one place."
    order = ("name",)
    columns = (
        Column("Role", lambda g: access.ROLES.get(g.name, g.name)),
        Column("Name", "name", "code"),
        Column("Members", "members", "num"),
        Column("Permissions", "verbs", "num"),
    )
    teaches = ("No roles yet.", "They are made when the database is migrated.")

    def listed(self, queryset: QuerySet[Any], who: Viewer) -> QuerySet[Any]:
        """With how many people and permissions."""
        members, granted = Count("user", distinct=True), Count("permissions", distinct=True)
        return queryset.annotate(members=members, verbs=granted)

    def heading(self, row: Group) -> str:
        """As staff call it."""
        return str(access.ROLES.get(row.name, row.name))

    def blocks(self, row: Group, who: Viewer) -> list[Block]:
        """Its permissions, sorted by what they are about, and its members."""
        granted = Permission.objects.filter(group=row).select_related("content_type")
        words = sorted((p.content_type.name, p.name) for p in granted)
        members = list(row.user_set.order_by("username"))
        return [Block("What it may do", "admin/blocks/role.html", {"granted": words, "members": members})]


def key_state(key: ApiKey) -> Any:
    """Whether a key still opens anything, as a pill."""
    if key.revoked_at:
        return shapes.pill("revoked", "Revoked")
    return shapes.pill("expired", "Expired") if key.expires_at < timezone.now() else shapes.pill("active", "Active")


class IssueForm(forms.Form):
    """What a new key may do, for whom, until when."""

    name = forms.CharField(
        label="Name", max_length=120, help_text="Which machine uses it, e.g. Finance data warehouse."
    )
    user = forms.ModelChoiceField(
        label="Acts as",
        queryset=User.objects.none(),
        help_text="A service account, one without a password: its roles and facilities bound the key.",
    )
    scopes = forms.CharField(
        label="Scopes", max_length=400, help_text="Separated by spaces, e.g. charges.read in.carebill"
    )
    days = forms.IntegerField(label="Valid for days", min_value=1, max_value=machines.MAX_DAYS, initial=90)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        users = User.objects.filter(is_active=True, is_superuser=False).order_by("username")
        self.fields["user"].queryset = users  # type: ignore[attr-defined]


def _revoke(key: ApiKey, data: dict[str, Any], by: Any) -> str:
    machines.revoke(key, by=by)
    return f"{key.name} is revoked: its next call is refused."


@admin.register(ApiKey)
class KeyAdmin(EvidenceAdmin):
    """Keys of machines: issued once, shown once, revoked at any time."""

    intro = "Keys of machines. A key is shown once, when it is made; only its hash is kept."
    order = ("-created_at",)
    columns = (
        Column("Name", "name"),
        Column("Key", lambda k: f"tl_{k.prefix}_…", "code"),
        Column("Acts as", lambda k: k.user.get_username()),
        Column("Scopes", lambda k: ", ".join(k.scopes)),
        Column("Last used", "last_used_at", "ago"),
        Column("Expires", "expires_at", "time"),
        Column("Status", key_state, "status"),
    )
    teaches = ("No keys yet.", "Issue one for each machine that calls the API or posts documents.")
    verbs = (
        verbs.Verb(
            "revoke", "Revoke", "hub.change_apikey", _revoke, lambda k, by: k.revoked_at is None, tone="danger",
            help="At once and for good.",
        ),
    )  # fmt: skip

    def listed(self, queryset: QuerySet[Any], who: Viewer) -> QuerySet[Any]:
        """With the account it acts as."""
        return queryset.select_related("user")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Issuing is an act of its own."""
        return viewer(request).may("hub.add_apikey")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Issue a key and show it this once; the answer is not stored anywhere."""
        who = viewer(request)
        if not self.has_add_permission(request):
            verbs.deny("apikeys.issue", ApiKey(), who.actor)
        form, secret = IssueForm(request.POST or None), ""
        if request.method == "POST" and form.is_valid():
            given = form.cleaned_data
            until = timezone.now() + timedelta(days=given["days"])
            try:
                with transaction.atomic():
                    _, secret = machines.issue(
                        given["user"], given["name"], given["scopes"].split(), until, by=who.actor
                    )  # fmt: skip
            except HubError as error:
                form.add_error(None, error.text)
        context = {
            **self.admin_site.each_context(request), "title": "Issue a key", "form": form, "secret": secret,
            "list_url": self._url("changelist"), "list_name": "API keys",
        }  # fmt: skip
        return TemplateResponse(request, "admin/hub/issue_key.html", context)

    def heading(self, row: ApiKey) -> str:
        """Its name."""
        return row.name

    def facts(self, row: ApiKey, who: Viewer) -> list[tuple[str, Any]]:
        """What it may do, for whom, until when."""
        return [
            ("Status", key_state(row)),
            ("Key", shapes.code(f"tl_{row.prefix}_…")),
            ("Acts as", row.user.get_username()),
            ("Scopes", ", ".join(row.scopes)),
            ("Made", shapes.stamp(row.created_at)),
            ("Expires", shapes.stamp(row.expires_at)),
            ("Revoked", shapes.stamp(row.revoked_at)),
            ("Last used", shapes.ago(row.last_used_at)),
        ]


navigation.put(
    "People and machines",
    navigation.Link("Users", "admin:auth_user_changelist", "auth.view_user", "Who may log in, in which role, where"),
    navigation.Link("Roles", "admin:auth_group_changelist", "auth.view_group", "What each role may do"),
    navigation.Link("API keys", "admin:hub_apikey_changelist", "hub.view_apikey", "Machines that call the API"),
)
