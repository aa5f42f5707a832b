"""Gets an account's tokens and writes them down."""
