"""An Earth that fits in a laptop: hidden law, what instruments see of it, and the truth."""
