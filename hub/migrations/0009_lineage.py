from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("hub", "0008_journeys"),
    ]

    operations = [
        migrations.AddField(
            model_name="message",
            name="origin",
            field=models.JSONField(null=True),
        ),
    ]
