"""The accounts server: tokens, scopes, and the consent page."""
