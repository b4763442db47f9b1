"""Coupons that a customer's purchase history brings her when she comes, and the use of any coupon at the checkout."""
