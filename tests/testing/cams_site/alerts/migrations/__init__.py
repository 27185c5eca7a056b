"""The four migrations, as the original's are named."""
