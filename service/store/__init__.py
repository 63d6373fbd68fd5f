"""What is kept in Redis: written by batches, read for answers, audited, rebuilt."""
