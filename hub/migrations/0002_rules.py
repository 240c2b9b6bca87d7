from django.db import migrations

from hub import partitions

APPEND_ONLY = """
CREATE FUNCTION throughline_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: rows are never changed or deleted; write a correcting row', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE ON hub_auditentry
    FOR EACH ROW EXECUTE FUNCTION throughline_append_only();
CREATE TRIGGER fact_is_append_only BEFORE UPDATE ON hub_fact
    FOR EACH ROW EXECUTE FUNCTION throughline_append_only();
"""
UNDO = """
DROP TRIGGER fact_is_append_only ON hub_fact;
DROP TRIGGER audit_is_append_only ON hub_auditentry;
DROP FUNCTION throughline_append_only();
"""
# A lane's row is updated several times a second: room on the page keeps those updates off the index.
LANES = "ALTER TABLE hub_lane SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 500)"


class Migration(migrations.Migration):
    """What the database refuses whoever asks, and the first partitions."""

    dependencies = [("hub", "0001_initial")]
    operations = [
        migrations.RunSQL(APPEND_ONLY, UNDO),
        migrations.RunSQL(LANES, migrations.RunSQL.noop),
        migrations.RunPython(lambda apps, editor: partitions.ensure(), migrations.RunPython.noop),
    ]
