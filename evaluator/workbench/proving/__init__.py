"""What holds for every subject there could be, proved or refuted with one that is then really judged."""
