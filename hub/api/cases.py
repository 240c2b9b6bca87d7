"""Exception cases: what a person must look at, what waits for it, and what it is worth."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Count, QuerySet, Sum
from django_filters.rest_framework import FilterSet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from hub import cases
from hub.access import ROLES
from hub.api import fields, filters, resources
from hub.models import ExceptionCase, Waiting


class AmountSerializer(serializers.Serializer[Any]):
    """Money in one currency."""

    currency = serializers.CharField()
    amount = fields.Money()


class WaitingSerializer(serializers.Serializer[Any]):
    """What waits for a case now."""

    documents = serializers.IntegerField()
    messages = serializers.IntegerField()
    amounts = AmountSerializer(many=True)


class CaseSerializer(serializers.ModelSerializer[ExceptionCase]):
    """One cause with everything that waits for it."""

    status = fields.Choice(ExceptionCase.STATUSES, "CaseStatus")
    assignee = serializers.CharField(source="assignee.username", default=None, allow_null=True)
    amount = fields.Money(help_text="Of the case itself; what waits for it is in `waiting`.")
    data = serializers.DictField(help_text="What the cause is, e.g. partner, domain and code of a missing mapping.")
    waiting = serializers.SerializerMethodField()

    class Meta:
        model = ExceptionCase
        fields = (
            "id", "code", "subject", "title", "text", "status", "severity", "owner", "assignee", "facility", "partner",
            "amount", "currency", "message_id", "delivery_id", "data", "waiting", "seen", "opened_at", "last_seen_at",
            "due_at", "closed_at", "reason",
        )  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(WaitingSerializer)
    def get_waiting(self, case: ExceptionCase) -> Any:
        """As `with_waiting` found it."""
        return WaitingSerializer(case.waits).data  # type: ignore[attr-defined]


class CaseFilters(FilterSet):
    """By status, code, owner, facility, partner, and by time of opening."""

    status = filters.choice(ExceptionCase.STATUSES)
    code = filters.text(label="Exception code, e.g. MAP_MISSING.")
    owner = filters.choice(ROLES, label="Role that owns it.")
    facility = filters.text(label="Our facility code.")
    partner = filters.text(label="Code of the partner.")
    message = filters.uuid(field_name="message_id", label="The message that it is about.")
    since = filters.MomentFilter(field_name="opened_at", lookup_expr="gte", label="Opened at this moment or later.")
    until = filters.MomentFilter(field_name="opened_at", lookup_expr="lt", label="Opened before this moment.")

    class Meta:
        model = ExceptionCase
        fields = ()


class Assignment(fields.Body):
    """Who shall look at it."""

    to = serializers.CharField(max_length=150, help_text="Username of an active user who sees the case's facility.")

    def validate_to(self, name: str) -> Any:
        """The user."""
        user = get_user_model().objects.filter(username=name, is_active=True).first()
        if user is None:
            raise serializers.ValidationError("There is no active user of this name.")
        return user


def with_waiting(found: Sequence[ExceptionCase]) -> Sequence[ExceptionCase]:
    """Give each case what waits for it: two queries for a whole page."""
    waiting = Waiting.objects.filter(case__in=found).order_by()
    sums = waiting.values("case_id", "currency").annotate(amount=Sum("amount"), documents=Count("pk"))
    amounts = defaultdict(list)
    for row in sums.order_by("currency"):
        amounts[row["case_id"]].append(row)
    messages = dict(waiting.values_list("case_id").annotate(Count("message_id", distinct=True)))
    for case in found:
        rows = amounts[case.pk]
        waits = {"documents": sum(row["documents"] for row in rows), "messages": messages.get(case.pk, 0)}
        case.waits = {**waits, "amounts": rows}  # type: ignore[attr-defined]
    return found


class Cases(resources.Resource):
    """Cases of the caller's facilities; those of no facility are for those who see all."""

    resource = "cases"
    noun = "a case"
    rows = ExceptionCase.objects.select_related("assignee")
    lookup_value_regex = resources.NUMBER_REGEX
    serializer_class = CaseSerializer
    filterset_class = CaseFilters
    needs = {
        "list": ("hub.view_exceptioncase",),
        "retrieve": ("hub.view_exceptioncase",),
        "assign": ("hub.view_exceptioncase", "hub.assign_exceptioncase"),
        "resolve": ("hub.view_exceptioncase", "hub.resolve_exceptioncase"),
        "retry": ("hub.view_exceptioncase", "hub.retry_exceptioncase"),
        "waive": ("hub.view_exceptioncase", "hub.waive_exceptioncase"),
    }

    def paginate_queryset(self, queryset: QuerySet[Any] | list[Any]) -> Any:
        """The page, with what waits."""
        return with_waiting(super().paginate_queryset(queryset) or [])

    def get_object(self) -> ExceptionCase:
        """The case, with what waits."""
        return with_waiting([super().get_object()])[0]

    @resources.verb(body=Assignment)
    def assign(self, case: ExceptionCase, to: Any) -> None:
        """Give a case to a user."""
        cases.assign(case, to=to, by=self.by)

    @resources.verb(body=fields.Reason)
    def resolve(self, case: ExceptionCase, reason: str) -> None:
        """Close a case because its cause is gone; refused while something waits for it."""
        cases.resolve(case, reason=reason, by=self.by)

    @resources.verb()
    def retry(self, case: ExceptionCase) -> None:
        """Put everything that waits for a case back into the queue, in its order."""
        cases.release(case, by=self.by)

    @resources.verb(body=fields.Reason)
    def waive(self, case: ExceptionCase, reason: str) -> None:
        """Close a case and let its cause stand. What waits for it stays held and in the books."""
        cases.waive(case, reason=reason, by=self.by)
