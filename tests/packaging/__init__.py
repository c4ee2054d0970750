"""What is built of this repository."""
