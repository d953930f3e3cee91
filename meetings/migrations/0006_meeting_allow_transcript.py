from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("meetings", "0006_summary_trouble"),
    ]

    operations = [
        migrations.AddField(
            model_name="meeting",
            name="allow_transcript",
            field=models.BooleanField(
                default=True,
                help_text="Viewers may read the transcript on a page, and hear the recording where it is kept.",
            ),
        ),
    ]
