"""The service's tables as Django sees them."""
