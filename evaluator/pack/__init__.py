"""The pack language: YAML to a checked pack."""
