"""Links by which people without an account see one visit."""
