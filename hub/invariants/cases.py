"""Cases: one open case for one cause; what waits, waits for a case that somebody can see. And answers given once."""

from hub.verification import Check, sql

OPEN = "SELECT count(*) FROM hub_exceptioncase WHERE status IN ('open', 'assigned')"
DOUBLED = """
SELECT 'case:' || max(id), count(*) || ' open cases have the one cause ' || code || ' ' || subject, NULL::numeric
FROM hub_exceptioncase WHERE status IN ('open', 'assigned') GROUP BY code, subject HAVING count(*) > 1
"""
WAITING = """
SELECT 'message:' || w.message_id,
       'its part ' || w.part || ' waits for case ' || w.case_id || ', which is ' || coalesce(x.status, 'not there'),
       w.amount
FROM hub_waiting w LEFT JOIN hub_exceptioncase x ON x.id = w.case_id
WHERE x.id IS NULL OR x.status IN ('resolved', 'superseded')
"""
STOPS = """
SELECT 'stop:' || s.id, 'it holds back a key of ' || s.queue || ' for a document that is not stopped', NULL::numeric
FROM hub_stop s
WHERE NOT CASE WHEN s.queue LIKE 'in:%%'
    THEN EXISTS (SELECT 1 FROM hub_message m WHERE m.id = s.subject_id AND m.status = 'stopped')
    ELSE EXISTS (SELECT 1 FROM hub_delivery d WHERE d.id = s.subject_id AND d.status = 'stopped') END
"""
ANSWERS = """
SELECT 'answer:' || max(id), 'its key has ' || count(*) || ' answers', NULL::numeric
FROM hub_savedanswer WHERE created_at >= %(since)s GROUP BY actor, method, path, key HAVING count(*) > 1
"""
FINGERPRINTS = """
SELECT 'answer:' || id, 'it has no fingerprint of what was asked for, or is no success', NULL::numeric
FROM hub_savedanswer
WHERE created_at >= %(since)s AND (length(fingerprint) <> 32 OR status NOT BETWEEN 200 AND 299)
"""
SAVED = "SELECT count(*) FROM hub_savedanswer WHERE created_at >= %(since)s"

CHECKS = (
    Check("INV-2", "open cases", "One cause has one open case.", sql(OPEN, DOUBLED)),
    Check(
        "INV-2", "what waits", "What waits for a case, waits for one that is open or was waived.",
        sql("SELECT count(*) FROM hub_waiting", WAITING),
    ),
    Check("INV-2", "stops", "A key is held back by a document that is stopped.",
          sql("SELECT count(*) FROM hub_stop", STOPS)),
    Check("INV-19", "answers", "One idempotency key has one answer.", sql(SAVED, ANSWERS)),
    Check("INV-19", "fingerprints", "Every kept answer is a success and knows what was asked.",
          sql(SAVED, FINGERPRINTS)),
)  # fmt: skip
