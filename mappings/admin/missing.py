"""The case page of a missing code: what it is worth, the likely targets and why, propose, approve with one click."""

from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.db.models import Q

from hub import cases, shapes
from hub.admin import verbs
from hub.admin.base import Block
from hub.admin.cases import Healing, register, stake
from hub.errors import Refused
from hub.models import ExceptionCase, Partner
from hub.viewer import Viewer
from mappings.admin import targets
from mappings.flows import mappings as flows
from mappings.flows import suggestions
from mappings.models import Mapping
from mappings.models.crosswalk import DOMAINS

NEEDED = {"partner", "domain", "code"}
APPROVERS_SHOWN = 5


def suits(case: ExceptionCase) -> bool:
    """Whether the case is about a code without a meaning."""
    about_a_code = case.subject.startswith("mapping:") and case.data.keys() >= NEEDED
    return about_a_code and case.data["domain"] in targets.DOMAINS_WITH_TARGETS


def proposals(case: ExceptionCase) -> list[Mapping]:
    """The open proposals for the case's code, those of its own facility first."""
    data = case.data
    found = Mapping.objects.filter(
        Q(facility=data.get("facility", "")) | Q(facility=""), partner__code=data["partner"], domain=data["domain"],
        source_code=data["code"], status="proposed",
    )  # fmt: skip
    return list(found.select_related("proposed_by", "partner").order_by("-facility", "pk"))


class TargetForm(forms.Form):
    """Which record it means: one of the suggestions, or any other by its code."""

    choice = forms.CharField(label="Suggestion", max_length=40, required=False)
    target = forms.CharField(label="Another code", max_length=40, required=False)
    valid_from = forms.DateField(
        label="Valid from", required=False, widget=forms.DateInput(attrs={"type": "date"}),
        help_text="Empty: from the first of what waits, and always.",
    )  # fmt: skip
    everywhere = forms.BooleanField(label="In all facilities of this partner", required=False)
    reason = forms.CharField(label="Reason", max_length=300, required=False)

    def clean(self) -> dict[str, Any]:
        """Exactly one target."""
        given = super().clean() or {}
        ticked, typed = given.get("choice", "").strip(), given.get("target", "").strip()
        if ticked and typed and ticked != typed:
            raise forms.ValidationError(f"You ticked {ticked} and typed {typed}. Keep one of them.")
        if not (ticked or typed):
            raise forms.ValidationError("Tick one of the suggestions, or type the code it means.")
        return {**given, "target": ticked or typed}


def _propose(case: ExceptionCase, data: dict[str, Any], by: Any) -> str:
    known = case.data
    partner = Partner.objects.filter(code=known["partner"]).first()
    if partner is None:
        raise Refused("MAP_PARTNER", f"The partner {known['partner']} does not exist any more.")
    dates = {"valid_from": data["valid_from"]} if data["valid_from"] else {}
    made = flows.propose(
        partner=partner, domain=known["domain"], source_code=known["code"], target_code=data["target"],
        facility="" if data["everywhere"] else known.get("facility", ""), reason=data["reason"], by=by, **dates,
    )  # fmt: skip
    return f"Proposed: {made.source_code} means {made.target_code}. Somebody else approves it on this page."


def _approve(case: ExceptionCase, data: dict[str, Any], by: Any) -> str:
    found = next((row for row in proposals(case) if row.pk == data["mapping"]), None)
    if found is None:
        raise Refused("STATE_MOVE", "This proposal is not open any more: somebody decided it. Reload and look again.")
    done = flows.approve(found, by=by)
    return f"Approved. {shapes.count(done.released, 'message')} went back into the queue."


def _reject(case: ExceptionCase, data: dict[str, Any], by: Any) -> str:
    found = next((row for row in proposals(case) if row.pk == data["mapping"]), None)
    if found is None:
        raise Refused("STATE_MOVE", "This proposal is not open any more: somebody decided it. Reload and look again.")
    flows.reject(found, reason=data["reason"], by=by)
    return "Rejected. Propose another target."


class WhichForm(forms.Form):
    """The proposal that the page showed: a newer one is never approved unseen."""

    mapping = forms.IntegerField(widget=forms.HiddenInput)


class RejectForm(verbs.ReasonForm):
    """Why not, and which."""

    mapping = forms.IntegerField(widget=forms.HiddenInput)


VERBS = (
    verbs.Verb("propose", "Propose", "mappings.propose_mapping", _propose, form=TargetForm),
    verbs.Verb("approve", "Approve and release", "mappings.approve_mapping", _approve, form=WhichForm),
    verbs.Verb("reject", "Reject…", "mappings.approve_mapping", _reject, form=RejectForm),
)


def blocks(case: ExceptionCase, who: Viewer) -> list[Block]:
    """The one panel that heals the case, in the state it is in."""
    if case.status not in cases.OPEN:
        return []
    open_ = proposals(case)
    context: dict[str, Any] = {"case": case, "domain": DOMAINS[case.data["domain"]], "stake": stake(case)}
    if open_:
        return [_decide(case, open_, who, context)]
    return [_choose(case, who, context)]


def _choose(case: ExceptionCase, who: Viewer, context: dict[str, Any]) -> Block:
    data = case.data
    partner = Partner.objects.filter(code=data["partner"]).first()
    likely = suggestions.suggest(
        partner=partner, domain=data["domain"], code=data["code"], text=data.get("text", ""),
        facility=data.get("facility", ""),
    ) if partner else []  # fmt: skip
    context |= {
        "suggestions": likely, "offered": targets.offered(data["domain"], data["partner"], data.get("facility", "")),
        "may": who.may("mappings.propose_mapping"),
    }  # fmt: skip
    return Block("Say what it means", "admin/hub/choose.html", context)


def _decide(case: ExceptionCase, open_: list[Mapping], who: Viewer, context: dict[str, Any]) -> Block:
    mine = who.actor.user.pk
    rows = [
        {
            "mapping": row, "name": targets.name_of(row.domain, row.target_code), "mine": row.proposed_by_id == mine,
            "reject": RejectForm(prefix="reject", initial={"mapping": row.pk}, auto_id=f"id_{row.pk}_%s"),
            "approve": WhichForm(prefix="approve", initial={"mapping": row.pk}, auto_id=f"id_{row.pk}_%s"),
        }
        for row in open_
    ]  # fmt: skip
    context |= {"proposals": rows, "may": who.may("mappings.approve_mapping"), "approvers": approvers(mine)}
    return Block("Approve what it means", "admin/hub/approve.html", context)


def approvers(except_pk: int) -> list[str]:
    """Who else may approve, so that the proposer knows whom to ask."""
    people = get_user_model().objects.with_perm(
        "mappings.approve_mapping", backend="django.contrib.auth.backends.ModelBackend"
    )
    found = people.filter(is_staff=True).exclude(pk=except_pk).order_by("is_superuser", "username")
    return [user.get_full_name() or user.get_username() for user in found[:APPROVERS_SHOWN]]


register(Healing(suits, blocks, VERBS, frozenset({"approve"})))
