"""Split rules in force, for a whole batch at once."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date

from erp.allocation import Share
from hub import bulk

RULES = """
SELECT w.facility, w.department, w.day, r.charge_code, r.id, s.cost_center, s.percent
FROM unnest(%s::text[], %s::text[], %s::date[]) w(facility, department, day)
JOIN erp_splitrule r ON r.facility = w.facility AND r.department = w.department
     AND r.valid_from <= w.day AND (r.valid_to IS NULL OR r.valid_to >= w.day)
JOIN erp_splitshare s ON s.rule_id = r.id
ORDER BY r.valid_from, r.id, s.cost_center
"""
Place = tuple[str, str, date]  # facility, department, posting date


def in_force(places: Collection[Place]) -> Mapping[Place, Mapping[str, Sequence[Share]]]:
    """The shares for each place, by charge code ("" for all codes). One query; of two rules the newer one counts."""
    rules: dict[tuple[Place, str], dict[int, list[Share]]] = defaultdict(dict)
    if places:
        columns = [list(column) for column in zip(*sorted(places), strict=True)]
        for facility, department, day, charge_code, rule, cost_center, percent in bulk.fetch(RULES, columns):
            shares = rules[(facility, department, day), charge_code].setdefault(rule, [])
            shares.append(Share(cost_center, percent))
    found: dict[Place, dict[str, Sequence[Share]]] = defaultdict(dict)
    for (place, charge_code), by_rule in rules.items():
        found[place][charge_code] = list(by_rule.values())[-1]
    return found
