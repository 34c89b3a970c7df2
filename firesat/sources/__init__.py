"""Where data enters the house: one module per provider's product; none knows another."""
