"""What an account offers: modules, fields, and our own tables about it."""
