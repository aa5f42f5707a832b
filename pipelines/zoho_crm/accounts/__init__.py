"""Many accounts on one machine: one file names them, and each one is read by a process of its own."""
