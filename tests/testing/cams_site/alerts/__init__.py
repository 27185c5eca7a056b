"""The app of cams."""
