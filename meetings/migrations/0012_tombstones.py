import django.db.models.functions.datetime
import django.utils.timezone
from django.db import migrations, models

NOW = django.db.models.functions.datetime.Now()


class Migration(migrations.Migration):
    dependencies = [
        ("meetings", "0011_stage_failures"),
    ]

    operations = [
        # The name is the one that it has: the table stays where it is.
        migrations.AlterModelTable("discardedresults", "meetings_discardedresults"),
        migrations.RenameModel("DiscardedResults", "Tombstone"),
        migrations.AlterModelOptions("tombstone", options={"ordering": ("created_at",)}),
        migrations.AddField(
            "tombstone",
            "has_results",
            models.BooleanField(default=True, db_default=True, help_text="Transcript files of it may be stored."),
        ),
        migrations.AddField(
            "tombstone",
            "are_traces_erased",
            models.BooleanField(
                default=False,
                db_default=False,
                help_text="What the files of database and broker keep of it is erased, or will be.",
            ),
        ),
        migrations.AddField(
            "tombstone",
            "attempts",
            models.PositiveIntegerField(default=0, db_default=0, help_text="Tries since one succeeded."),
        ),
        migrations.AddField(
            "tombstone",
            "not_before",
            models.DateTimeField(
                default=django.utils.timezone.now,
                db_default=NOW,
                db_index=True,
                help_text="When it is looked after next.",
            ),
        ),
        migrations.AddField("tombstone", "created_at", models.DateTimeField(auto_now_add=True, db_default=NOW)),
        migrations.AddField(
            "meeting",
            "results_attempts",
            models.PositiveIntegerField(
                default=0,
                db_default=0,
                editable=False,
                help_text="Tries to store these files since they were stored last.",
            ),
        ),
        migrations.AddField(
            "meeting",
            "results_not_before",
            models.DateTimeField(
                editable=False, help_text="When that is tried again; empty: whenever there is something new.", null=True
            ),
        ),
    ]
