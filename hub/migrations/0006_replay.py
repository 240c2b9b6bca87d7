import django.contrib.postgres.fields
import django.db.models.deletion
import simple_history.models
from django.conf import settings
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

import hub.ids


class Migration(migrations.Migration):
    dependencies = [
        ("hub", "0005_delivery_policy"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="HistoricalReplay",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(choices=[("messages", "Messages"), ("deliveries", "Deliveries")], max_length=10),
                ),
                ("filters", models.JSONField()),
                ("limit", models.PositiveIntegerField()),
                ("reason", models.TextField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("planned", "Planned"),
                            ("waiting_approval", "Waits for approval"),
                            ("approved", "Approved"),
                            ("running", "Running"),
                            ("paused", "Paused"),
                            ("done", "Done"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="planned",
                        max_length=16,
                    ),
                ),
                ("needs_approval", models.BooleanField(default=False)),
                ("planned_at", models.DateTimeField()),
                ("approved_at", models.DateTimeField(null=True)),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                ("history_change_reason", models.TextField(null=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
                ),
            ],
            options={
                "verbose_name": "historical replay",
                "verbose_name_plural": "historical replays",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="Replay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(choices=[("messages", "Messages"), ("deliveries", "Deliveries")], max_length=10),
                ),
                ("filters", models.JSONField()),
                ("limit", models.PositiveIntegerField()),
                ("more", models.BooleanField(default=False)),
                ("reason", models.TextField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("planned", "Planned"),
                            ("waiting_approval", "Waits for approval"),
                            ("approved", "Approved"),
                            ("running", "Running"),
                            ("paused", "Paused"),
                            ("done", "Done"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="planned",
                        max_length=16,
                    ),
                ),
                (
                    "facilities",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=20), default=list, size=None
                    ),
                ),
                ("needs_approval", models.BooleanField(default=False)),
                ("planned_at", models.DateTimeField()),
                ("approved_at", models.DateTimeField(null=True)),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("count", models.PositiveIntegerField(default=0)),
                ("already", models.PositiveIntegerField(default=0)),
                ("behind", models.PositiveIntegerField(default=0)),
                ("closed", models.PositiveIntegerField(default=0)),
                ("known", models.PositiveIntegerField(default=0)),
                ("worth", models.JSONField(default=dict)),
                ("destinations", models.JSONField(default=list)),
            ],
            options={
                "permissions": (
                    ("plan_replay", "Can plan a replay"),
                    ("approve_replay", "Can approve a replay that somebody else planned"),
                    ("run_replay", "Can start, pause, resume and cancel a replay"),
                ),
            },
        ),
        migrations.CreateModel(
            name="ReplayItem",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveIntegerField()),
                ("subject_id", models.UUIDField()),
                (
                    "result",
                    models.CharField(
                        choices=[
                            ("pending", "Not begun"),
                            ("moving", "Under way"),
                            ("done", "Done"),
                            ("skipped", "Left as it is"),
                            ("failed", "Failed"),
                        ],
                        default="pending",
                        max_length=8,
                    ),
                ),
                ("text", models.CharField(blank=True, max_length=300)),
                ("at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Resubmission",
            fields=[
                ("id", models.UUIDField(default=hub.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("original_id", models.UUIDField(unique=True)),
                ("copy_id", models.UUIDField(unique=True)),
                ("at", models.DateTimeField()),
            ],
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
                )
            },
        ),
        migrations.RemoveConstraint(
            model_name="message",
            name="message_status_is_known",
        ),
        migrations.AlterField(
            model_name="message",
            name="status",
            field=models.CharField(
                choices=[
                    ("received", "Waiting"),
                    ("held", "Held"),
                    ("stopped", "Stopped"),
                    ("blocked", "Behind a stopped one"),
                    ("applied", "Applied"),
                    ("skipped", "Not for us"),
                    ("refused", "Refused"),
                    ("waived", "Waived"),
                    ("replaced", "Replaced"),
                ],
                max_length=10,
            ),
        ),
        # A wider list of statuses: every stored row has one of them, so ten million rows need not be read again.
        AddConstraintNotValid(
            model_name="message",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "status__in",
                        [
                            "received",
                            "held",
                            "stopped",
                            "blocked",
                            "applied",
                            "skipped",
                            "refused",
                            "waived",
                            "replaced",
                        ],
                    )
                ),
                name="message_status_is_known",
            ),
        ),
        migrations.AddField(
            model_name="historicalreplay",
            name="approved_by",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="historicalreplay",
            name="destination",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="hub.endpoint",
            ),
        ),
        migrations.AddField(
            model_name="historicalreplay",
            name="history_user",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="historicalreplay",
            name="planned_by",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="replay",
            name="approved_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="replay",
            name="destination",
            field=models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="hub.endpoint"
            ),
        ),
        migrations.AddField(
            model_name="replay",
            name="planned_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="replayitem",
            name="replay",
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="items", to="hub.replay"),
        ),
        migrations.AddConstraint(
            model_name="replay",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "status__in",
                        ["planned", "waiting_approval", "approved", "running", "paused", "done", "cancelled"],
                    )
                ),
                name="replay_status_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="replay",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["messages", "deliveries"])), name="replay_kind_is_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="replay",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("approved_by__isnull", True),
                    models.Q(("approved_by", models.F("planned_by")), _negated=True),
                    _connector="OR",
                ),
                name="replay_approver_is_not_the_planner",
            ),
        ),
        migrations.AddConstraint(
            model_name="replay",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("approved_at__isnull", True), ("approved_by__isnull", True)),
                    models.Q(("approved_at__isnull", False), ("approved_by__isnull", False)),
                    _connector="OR",
                ),
                name="replay_approval_has_a_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="replay",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("needs_approval", False),
                    models.Q(("status__in", ["approved", "running", "paused", "done"]), _negated=True),
                    ("approved_by__isnull", False),
                    _connector="OR",
                ),
                name="replay_runs_when_approved",
            ),
        ),
        migrations.AddConstraint(
            model_name="replay",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("finished_at__isnull", False), ("status__in", ["done", "cancelled"])),
                    models.Q(
                        models.Q(("status__in", ["done", "cancelled"]), _negated=True), ("finished_at__isnull", True)
                    ),
                    _connector="OR",
                ),
                name="replay_finished_has_a_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="replay",
            constraint=models.CheckConstraint(
                condition=models.Q(("reason", ""), _negated=True), name="replay_has_a_reason"
            ),
        ),
        migrations.AddIndex(
            model_name="replayitem",
            index=models.Index(
                condition=models.Q(("result", "pending")), fields=["replay", "position"], name="replayitem_pending"
            ),
        ),
        migrations.AddIndex(
            model_name="replayitem",
            index=models.Index(
                condition=models.Q(("result", "moving")), fields=["replay", "position"], name="replayitem_moving"
            ),
        ),
        migrations.AddIndex(
            model_name="replayitem",
            index=models.Index(fields=["subject_id"], name="replayitem_subject"),
        ),
        migrations.AddConstraint(
            model_name="replayitem",
            constraint=models.UniqueConstraint(fields=("replay", "position"), name="replayitem_position_is_one"),
        ),
        migrations.AddConstraint(
            model_name="replayitem",
            constraint=models.UniqueConstraint(fields=("replay", "subject_id"), name="replayitem_subject_is_one"),
        ),
        migrations.AddConstraint(
            model_name="replayitem",
            constraint=models.CheckConstraint(
                condition=models.Q(("result__in", ["pending", "moving", "done", "skipped", "failed"])),
                name="replayitem_result_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="replayitem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("at__isnull", True), ("result", "pending")),
                    models.Q(models.Q(("result", "pending"), _negated=True), ("at__isnull", False)),
                    _connector="OR",
                ),
                name="replayitem_result_has_a_time",
            ),
        ),
    ]
