"""Logins and what they may carry: tokens for programs."""
