from django.db import migrations

RULES = """
CREATE TRIGGER journal_line_is_append_only BEFORE UPDATE OR DELETE ON erp_journalline
    FOR EACH ROW EXECUTE FUNCTION throughline_append_only();

CREATE FUNCTION erp_split_adds_up() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed bigint := COALESCE(NEW.rule_id, OLD.rule_id);
    total numeric;
BEGIN
    SELECT sum(percent) INTO total FROM erp_splitshare WHERE rule_id = changed;
    IF total IS NOT NULL AND total <> 100 THEN
        RAISE EXCEPTION 'the shares of split rule % add up to %, not to 100', changed, total
            USING ERRCODE = 'check_violation', CONSTRAINT = 'split_shares_add_up_to_100';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER split_shares_add_up_to_100 AFTER INSERT OR UPDATE OR DELETE ON erp_splitshare
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION erp_split_adds_up();
"""
UNDO = """
DROP TRIGGER split_shares_add_up_to_100 ON erp_splitshare;
DROP FUNCTION erp_split_adds_up();
DROP TRIGGER journal_line_is_append_only ON erp_journalline;
"""


class Migration(migrations.Migration):
    """What the database refuses whoever asks."""

    dependencies = [("erp", "0001_initial"), ("hub", "0002_rules")]
    operations = [migrations.RunSQL(RULES, UNDO)]
