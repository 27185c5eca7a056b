"""Keep a history of what was changed in settings.toml."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_scopes_and_known_addresses")]

    operations = [
        migrations.CreateModel(
            name="SettingsChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(auto_now_add=True)),
                ("user", models.CharField(max_length=150)),
                ("summary", models.CharField(max_length=200)),
                ("edits", models.TextField()),
                ("digest", models.CharField(max_length=64)),
                ("text_before", models.TextField()),
                ("state", models.CharField(default="asked", max_length=10)),
                ("why", models.CharField(default="", max_length=1000)),
            ],
            options={"ordering": ("-pk",)},
        ),
    ]
