"""The status of the service: its state, its cameras, and the metrics.

The supervisor writes the state into one file; `camalert status`, the site and the metrics process read it and turn it
into text, JSON or Prometheus's format. Nothing here steers the service, and nobody waits for a reader.
"""
