"""The review site: people look at pictures, not at tables.

One optional child process, Django over the service's own tables; only `review-user` imports it from outside. It works
beside the writer in the same database: it marks and deletes rows and keeps its logins there, and never writes a
picture. When it fails, mails are still received and examined.
"""
