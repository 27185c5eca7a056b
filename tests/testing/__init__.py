"""What tests share: a real service under test, real mails, real pictures."""
