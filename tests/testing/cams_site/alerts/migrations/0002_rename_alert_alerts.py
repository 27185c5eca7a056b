"""One of the four steps to the two tables."""

from django.db import migrations


class Migration(migrations.Migration):
    """As Django writes it."""

    dependencies = [("alerts", "0001_initial")]
    operations = [migrations.RenameModel("Alert", "Alerts")]
