"""The smtp process: speaks SMTP with cameras and brings their mails to the writer, never decoding a picture."""
