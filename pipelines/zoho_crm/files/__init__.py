"""Copies the CRM's files into a folder or bucket, and compares the copies with the table `files`."""
