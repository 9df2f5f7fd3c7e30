"""Cases of a pack: run, measured by what of the rules they reach, written from results, and put to the proof."""
