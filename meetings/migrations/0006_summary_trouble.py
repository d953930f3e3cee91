from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("meetings", "0005_caption_edits")]

    operations = [
        migrations.AddField(
            model_name="meeting",
            name="summary_trouble",
            field=models.CharField(
                blank=True,
                editable=False,
                help_text="Why it is put off: a `meetings.store.summary_status.SummaryFailure`.",
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="meeting",
            name="summary_not_before",
            field=models.DateTimeField(
                blank=True, editable=False, help_text="The host said: not now; or an attempt failed.", null=True
            ),
        ),
    ]
