"""The Textual app. Knows views and the service, nothing below."""
