"""The verbs of the house: each job is one module, and none knows another."""
