"""What a run would find, before it runs."""
