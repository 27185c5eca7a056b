"""The review site: people look at pictures, not at tables. One optional child process; nothing else imports this."""
