"""How a coupon of a lane reaches its customer when it is not on paper (rows B9, C4): in the app, by web push, by e-mail.

    waiting ──▶ pending ──▶ sent ──▶ confirmed
                   │          │
                   └──────────┴────▶ failed ──▶ the next way of the coupon, if there is one, becomes pending

A way that nobody needs any more (another was confirmed, the coupon is used or over) ends as `unneeded`. A way is a row of the table `giving`, written in the transaction that grants the coupon: an outbox for the outside world, which
goes on after a kill. The coupon itself is the same everywhere, on paper, on a display, on a terminal and in a letter: one ID,
used once.

giving           what happens in the hub's transactions: granted, settled, kept by a terminal, over
claiming         a coupon's code that her terminal has read from a lane's display
coupon           what is said of a coupon. Pure
ways             the one face of all ways: app, push, mail
courier          tries them beside the hub's loop
letter           the letter. Pure
push_encryption  RFC 8291; vapid: RFC 8292; push_endpoint: where a push may go, and the wire to it
api              /member/api/coupons/claim, /member/api/push, the link in a letter
service          put together by the settings; trying: for `instore giving`
"""
