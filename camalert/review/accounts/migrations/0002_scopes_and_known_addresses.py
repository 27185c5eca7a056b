"""Give tokens a scope, an end and a last address; remember from where people log in.

A token made before could do everything. It goes on as one that may look and review: what most programs need.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("accounts", "0001_initial"),
    ]

    operations = [
        migrations.AddField("Token", "scope", models.CharField(max_length=10, default="review")),
        migrations.AlterField("Token", "scope", models.CharField(max_length=10, default="read")),
        migrations.AddField("Token", "expires", models.DateTimeField(null=True)),
        migrations.AddField("Token", "last_address", models.CharField(max_length=64, default="")),
        migrations.CreateModel(
            name="GoodLogin",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("network", models.CharField(max_length=64)),
                ("at", models.DateTimeField()),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={"unique_together": {("user", "network")}},
        ),
    ]
