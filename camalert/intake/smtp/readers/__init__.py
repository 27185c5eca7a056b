"""The processes that read mails for smtp: `parent` is its side, `process` the child."""
