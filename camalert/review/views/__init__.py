"""The pages: each view reads what it shows, decides little, and hands values to a template."""
