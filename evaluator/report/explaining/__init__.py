"""Why a result is what it is: gathered from a run folder, set in its readers' words, and shown in four forms."""
