"""Remember which links of messages were used, and what they did."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_settings_changes")]

    operations = [
        migrations.CreateModel(
            name="UsedLink",
            fields=[
                ("link", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("at", models.FloatField()),
                ("until", models.FloatField()),
                ("did", models.CharField(max_length=300)),
                ("kind", models.CharField(max_length=20)),
                ("before", models.JSONField()),
                ("after", models.JSONField()),
                ("undone", models.FloatField(null=True)),
            ],
        ),
    ]
