"""What plans are made of, as data: acquisitions, what they measure, what they need of a bench."""
