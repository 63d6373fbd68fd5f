"""What is shipped, as its user gets it: the distribution, the image, and the files that start it."""
