"""Who signs in, and where: credentials, tokens and Zoho's accounts servers."""
