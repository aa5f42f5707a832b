"""What the smaller simulated services share besides the CRM's server: rows that change under a reader's feet."""
