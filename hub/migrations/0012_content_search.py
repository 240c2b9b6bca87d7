from django.db import migrations, models

from hub import partitions


def make_partitions(apps, schema_editor):
    """This month and those ahead; the indexer makes those of older messages when it comes to them."""
    partitions.ensure()


class Migration(migrations.Migration):
    dependencies = [
        ("hub", "0011_alert_channels"),
    ]

    operations = [
        partitions.CreatePartitionedModel(
            name="ContentSegment",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("high", models.UUIDField()),
                ("count", models.PositiveIntegerField()),
                ("version", models.PositiveSmallIntegerField()),
                ("key_id", models.CharField(max_length=40)),
                ("blocks", models.PositiveIntegerField()),
                ("filter", models.BinaryField()),
                ("cut_at", models.DateTimeField()),
            ],
        ),
        # A look reads one piece of a filter; and sealed bytes cannot be compressed, so nobody tries.
        migrations.RunSQL(
            "ALTER TABLE hub_contentsegment ALTER COLUMN filter SET STORAGE EXTERNAL;"
            "ALTER TABLE hub_message ALTER COLUMN raw SET STORAGE EXTERNAL",
            "ALTER TABLE hub_message ALTER COLUMN raw SET STORAGE EXTENDED",
        ),
        migrations.AlterModelOptions(
            name="message",
            options={
                "permissions": (
                    ("view_raw_message", "Can see the raw bytes of a message"),
                    ("retry_message", "Can retry a stopped message"),
                    ("waive_message", "Can waive a stopped message"),
                    ("drop_month", "Can archive and drop a month"),
                    ("edit_message", "Can edit a stopped message and hand it in anew"),
                    ("search_content", "Can search inside messages"),
                )
            },
        ),
        migrations.RunPython(make_partitions, migrations.RunPython.noop, elidable=True),
    ]
