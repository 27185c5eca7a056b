"""One of the four steps to the two tables."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """As Django writes it."""

    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Alert",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("subject", models.CharField(max_length=200)),
                ("timestamp", models.DateTimeField()),
                ("snapshot", models.BinaryField()),
            ],
        )
    ]
