"""Lineage on pages: a message's way above everything else, and the messages behind a call or a journal."""

from typing import Any
from uuid import UUID

from hub import hops, shapes, trail
from hub.admin.base import Block
from hub.lineage import Story
from hub.models import Message
from hub.viewer import Viewer


def way(story: Story) -> dict[str, Any]:
    """What `admin/includes/way.html` shows: the hops, and what keeps the first one that is stuck."""
    stuck = next((hop for hop in story.hops if hop.state == "stuck"), None)
    total = "" if story.total_s is None else hops.span(story.total_s)
    return {"hops": story.hops, "stuck": stuck, "took": total, "ended": all(hop.state == "done" for hop in story.hops)}


def behind(dispatch_id: UUID, who: Viewer) -> list[Block]:
    """The messages whose facts a call carries; nothing where this person may not see messages."""
    if not who.may("hub.view_message"):
        return []
    ids, complete = trail.behind_call(dispatch_id)
    rows = who.scope(Message.objects.defer("raw", "sha256", "notes").filter(pk__in=ids), "endpoint__facility")
    found = list(rows.select_related("endpoint").order_by("id"))
    if not found:
        return []
    told = [(row, Message.STATUSES[row.status]) for row in found]
    aside = shapes.count(len(found), "message") + ("" if complete else ", the first ones")
    return [Block("The messages behind it", "admin/blocks/messages.html", {"messages": told}, aside)]
