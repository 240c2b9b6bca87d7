from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("hub", "0007_alert_circuit"),
    ]

    operations = [
        migrations.AddField(
            model_name="message",
            name="origin",
            field=models.JSONField(null=True),
        ),
    ]
