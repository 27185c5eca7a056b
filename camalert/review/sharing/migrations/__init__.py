"""Migrations of the links."""
