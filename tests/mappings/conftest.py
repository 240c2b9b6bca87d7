"""The small network and people with roles, for every test of the shared language."""

from typing import Any

import pytest
from django.contrib.auth.models import Group

from hub import access, roles
from hub.access import Actor
from hub.models import Partner
from tests.mappings import network


def make(name: str, role: str, *facilities: str, **attributes: Any) -> Actor:
    """A person with a role who sees these facilities."""
    roles.apply()
    user = network.user(name, *facilities, **attributes)
    user.groups.add(Group.objects.get(name=role))
    return access.person(user)


@pytest.fixture
def carebill(db: None) -> Partner:
    """The billing partner of the small network."""
    return network.build()


@pytest.fixture
def author(carebill: Partner) -> Actor:
    """Somebody who proposes."""
    return make("fay.finance", "finance", "*")


@pytest.fixture
def approver(carebill: Partner) -> Actor:
    """Somebody who approves."""
    return make("abe.approver", "approver", "*")
