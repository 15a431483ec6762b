"""Actions become links: who acted on the same objects, beyond chance, and how much each tie weighs."""
