"""The store in Redis: writes batches, reads answers, audits and mends what is stored, and builds generations."""
