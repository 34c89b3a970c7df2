"""The law of the sandbox: weather, vegetation, moisture, ignition, spread and suppression.

Everything here is hidden from a forecaster. It has its own physics and never imports the
Canadian Fire Weather Index System, so that no index is sufficient by construction.
"""
