"""What can be left out, one offer a file: `OFFER`, an `Offer`."""
