from django.db import migrations

# Every charge is updated once, when its cost is posted: room on the page keeps that off the indexes (HOT).
ROOM = "ALTER TABLE billing_charge SET (fillfactor = 75)"


class Migration(migrations.Migration):
    """Storage that fits how the rows are used."""

    dependencies = [("billing", "0001_initial")]
    operations = [migrations.RunSQL(ROOM, "ALTER TABLE billing_charge RESET (fillfactor)")]
