"""The tables of the simulated store: coupons from purchase history, and what an exit brings, with limits that are reached."""

from __future__ import annotations

COUPONS = """
period_days = 180
good_customers_only = false
deliver_to = "both"
per_visit = 2

[categories]
tableware = ["食器"]

[[coupon]]
name = "tableware"
when = 'tableware_pieces >= 3'
title = { ja = "食器 10点目プレゼント", en = "A free piece of tableware" }
kind = "product"
valid_days = 30
limit = 5

[[coupon]]
name = "often"
when = 'visits >= 20'
title = { ja = "200円引き", en = "200 yen off" }
amount_minor = 200
valid_days = 14
limit = 40
budget_minor = 1_600
"""
"""Coupons from purchase history."""
LIMITS = {"tableware": (5, 0, 0), "often": (40, 200, 1600)}
"""By rule: how many, what one is worth, and the budget in minor units (0: none)."""

INCENTIVES = """
combine = "first"

[[incentive]]
name = "by-post"
when = "member && rank >= gold && amount >= 1000"
kind = "discount"
title = { ja = "100円引きクーポン", en = "100 yen off" }
amount_minor = 100
give = ["email", "push", "app"]
valid_days = 30

[[incentive]]
name = "silver"
when = "member && rank >= silver && amount >= 900"
kind = "discount"
title = { ja = "300円引きクーポン", en = "300 yen off" }
amount_minor = 300
give = ["print", "display", "push", "app", "email"]
valid_days = 30
budget_count = 6
budget_period = "day"
per_customer = { count = 1, period = "day" }
receipt = { ja = [["text", "{title}"], ["qr", "{coupon}"]], en = [["text", "{title}"], ["qr", "{coupon}"]] }

[[incentive]]
name = "on-the-display"
when = "amount < 1000"
kind = "discount"
title = { ja = "50円引きクーポン", en = "50 yen off" }
amount_minor = 50
give = ["display", "app", "push", "email"]
valid_days = 30
budget_minor = 300
budget_period = "day"

[[incentive]]
name = "thanks-200"
when = "amount >= 1000"
kind = "discount"
title = { ja = "200円引きクーポン", en = "200 yen off" }
amount_minor = 200
give = ["print", "display", "app"]
valid_days = 30
receipt = { ja = [["text", "{title}"], ["qr", "{coupon}"]], en = [["text", "{title}"], ["qr", "{coupon}"]] }
"""
BUDGETS = {"silver": 6, "on-the-display": 6}
"""How many of a rule may be out on one day."""
ONE_EACH = "silver"
"""Of this rule a customer has one a day."""
