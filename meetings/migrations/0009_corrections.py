"""Corrections of captions become corrections of whatever a model wrote."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("meetings", "0008_lag_samples")]

    operations = [
        migrations.RenameModel(old_name="CaptionEdit", new_name="Correction"),
        migrations.AlterModelOptions(name="correction", options={"ordering": ("pk",)}),
        migrations.AlterField(
            model_name="correction",
            name="caption",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="corrections",
                to="meetings.caption",
            ),
        ),
        migrations.AddField(
            model_name="correction",
            name="summary",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="corrections",
                to="meetings.summary",
            ),
        ),
        migrations.AddField(
            model_name="correction",
            name="language",
            field=models.CharField(
                blank=True,
                default="",
                help_text="Of a translation; empty: of what was said, or of the summary as written.",
                max_length=8,
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="correction",
            name="item",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="Of a summary's items, counted from 1 as they were then; empty: its own text.",
                null=True,
            ),
        ),
        migrations.AddConstraint(
            model_name="correction",
            constraint=models.CheckConstraint(
                condition=models.Q(("caption", None), ("summary__isnull", False))
                | models.Q(("caption__isnull", False), ("summary", None)),
                name="correction_of_one_thing",
            ),
        ),
        migrations.AddField(
            model_name="translation",
            name="is_text_fixed",
            field=models.BooleanField(default=False, help_text="Somebody corrected the text; no model changes it."),
        ),
        migrations.AlterField(
            model_name="summary",
            name="translations",
            field=models.JSONField(
                blank=True,
                default=dict,
                help_text="Text and the items' texts by language; `is_fixed`: somebody corrected them.",
            ),
        ),
    ]
