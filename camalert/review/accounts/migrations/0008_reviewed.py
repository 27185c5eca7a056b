"""Make the table of who has reviewed what."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0007_second_factor"),
    ]

    operations = [
        migrations.CreateModel(
            name="Reviewed",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("alert", models.BigIntegerField()),
                ("name", models.CharField(max_length=150)),
                ("at", models.FloatField()),
            ],
            options={"unique_together": {("alert", "name")}},
        ),
    ]
