"""What can be wrong with a pack that can be read: values nothing reads, bands with gaps, conditions that never hold."""
