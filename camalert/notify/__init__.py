"""Messages: what the writer decided to tell reaches the owner, by push, MQTT, webhook or mail.

The notifier process reads the outbox, sends, and reports what became of it. It is the only process that connects to the
outside, and only to the targets of the configuration. It writes no table and decides about nobody.
"""
