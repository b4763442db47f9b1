"""Typed settings and the shipped TOML: store, rules, coupons. Read once into frozen objects (`config.load`)."""
