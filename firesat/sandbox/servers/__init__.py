"""The providers' own protocols, on loopback: one module per provider."""
