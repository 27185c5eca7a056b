"""camalert: receives the alarm mails of security cameras and finds the people in their snapshots."""

__version__ = "0.2.0"
