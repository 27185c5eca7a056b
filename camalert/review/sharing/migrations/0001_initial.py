"""Make the table of links to visits."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    operations = [
        migrations.CreateModel(
            name="SharedVisit",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("source", models.CharField(max_length=64)),
                ("visit", models.BigIntegerField()),
                ("title", models.CharField(max_length=300)),
                ("made_by", models.CharField(max_length=150)),
                ("made", models.FloatField()),
                ("until", models.FloatField()),
                ("last_opened", models.FloatField(null=True)),
            ],
            options={"ordering": ("-made", "-pk")},
        ),
    ]
