"""Answers questions from the store: computes a cover, reads its nodes, checks them, and adds them up."""
