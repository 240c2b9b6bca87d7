"""Room beside every charge for its one change, from captured to posted: no index has to be told of it."""

from django.db import migrations

ROOM = "ALTER TABLE billing_charge SET (fillfactor = 50)"
FULL = "ALTER TABLE billing_charge RESET (fillfactor)"


class Migration(migrations.Migration):
    dependencies = (("billing", "0002_rules"),)
    operations = (migrations.RunSQL(ROOM, FULL),)
