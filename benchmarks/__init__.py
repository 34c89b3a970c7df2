"""Speed beside the peers, as ratios of one run: python -m benchmarks.run (make bench)."""
