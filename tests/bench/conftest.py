"""Peers need libraries of the extra `bench`; pytest looks for examples in none of them."""

collect_ignore_glob = ["peers/*"]
