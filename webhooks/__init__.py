"""What providers and Stripe report, every event once."""
