"""The newer changes to the hub's tables; append here. Part of `hub.database.schema.MIGRATIONS`."""

from __future__ import annotations

from delivery.journal import Migration

LATER: tuple[Migration, ...] = (
    # Exit codes as numbers, for keypads and one-dimensional codes: what a number means, and until when.
    (
        "hub-14",
        """
        CREATE TABLE exit_number (
            digits TEXT PRIMARY KEY, code TEXT NOT NULL, issued TEXT NOT NULL, expires TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE UNIQUE INDEX exit_number_by_code ON exit_number (code, expires);
        CREATE INDEX exit_number_by_time ON exit_number (expires);
        """,
    ),
    # Coupons of lanes that are hers electronically; the ways on which they are brought to her, an outbox for the world outside;
    # browsers of hers that take notifications, as long as they are signed in.
    (
        "hub-15",
        """
        CREATE TABLE given_coupon (
            coupon TEXT PRIMARY KEY, customer TEXT NOT NULL REFERENCES customer ON DELETE CASCADE,
            how TEXT NOT NULL,                           -- granted, claimed
            state TEXT NOT NULL,                         -- offered, redeemed, expired, withdrawn
            revision INTEGER NOT NULL, kept INTEGER NOT NULL, -- as told to her terminals, and as they have kept it
            given TEXT NOT NULL, valid_until TEXT NOT NULL,
            stale INTEGER NOT NULL                       -- 1: its state may have changed
        ) WITHOUT ROWID;
        CREATE INDEX given_coupon_by_customer ON given_coupon (customer);
        CREATE INDEX given_coupon_open ON given_coupon (valid_until) WHERE state = 'offered';
        CREATE INDEX given_coupon_stale ON given_coupon (coupon) WHERE stale = 1;
        CREATE TRIGGER given_coupon_used AFTER INSERT ON redemption BEGIN
            UPDATE given_coupon SET stale = 1 WHERE coupon = NEW.coupon;
        END;
        CREATE TABLE giving (
            coupon TEXT NOT NULL, way TEXT NOT NULL,     -- app, push, email
            customer TEXT NOT NULL REFERENCES customer ON DELETE CASCADE,
            place INTEGER NOT NULL,                      -- in the order in which ways are tried
            state TEXT NOT NULL,                         -- waiting, pending, sent, confirmed, failed, unneeded
            tries INTEGER NOT NULL, due TEXT,            -- when to look at it next; NULL: it rests
            until TEXT NOT NULL,                         -- then it is given up
            made TEXT NOT NULL, changed TEXT NOT NULL, detail TEXT NOT NULL,
            secret TEXT NOT NULL UNIQUE,                 -- what its Message-ID and the link in its letter are made of
            PRIMARY KEY (coupon, way)
        ) WITHOUT ROWID;
        CREATE INDEX giving_due ON giving (due) WHERE due IS NOT NULL;
        CREATE INDEX giving_by_customer ON giving (customer);
        CREATE INDEX giving_by_change ON giving (changed);
        CREATE TABLE push_subscription (
            endpoint TEXT PRIMARY KEY,
            session_hash TEXT NOT NULL REFERENCES member_session (hash) ON DELETE CASCADE,
            customer TEXT NOT NULL REFERENCES customer ON DELETE CASCADE,
            p256dh TEXT NOT NULL, auth TEXT NOT NULL,    -- the browser's key and secret (RFC 8291), base64url
            made TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX push_subscription_by_session ON push_subscription (session_hash);
        CREATE INDEX push_subscription_by_customer ON push_subscription (customer);
        """,
    ),
    # What a coupon is worth, from when, and the ways to bring it; which rules it comes from, and by rule and day how much is out.
    # Where goods were registered, and each tender paid. Codes that were let through before their sale was known.
    (
        "hub-16",
        """
        ALTER TABLE sale ADD COLUMN registered_on TEXT NOT NULL DEFAULT '';   -- terminal, settlement; '': the POS did not say
        ALTER TABLE sale ADD COLUMN payment_number INTEGER;                   -- which of her payments on the terminal it was
        ALTER TABLE sale_tender ADD COLUMN paid_on TEXT NOT NULL DEFAULT '';
        UPDATE sale_tender SET paid_on = (SELECT paid_on FROM sale WHERE sale.sale = sale_tender.sale);
        ALTER TABLE incentive ADD COLUMN percent INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE incentive ADD COLUMN product TEXT;
        ALTER TABLE incentive ADD COLUMN minimum_minor INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE incentive ADD COLUMN valid_from TEXT NOT NULL DEFAULT '';
        ALTER TABLE incentive ADD COLUMN ways TEXT NOT NULL DEFAULT 'app';    -- to bring it electronically, first to last
        ALTER TABLE incentive ADD COLUMN because TEXT NOT NULL DEFAULT '';    -- every rule, and what became of it
        UPDATE incentive SET valid_from = reserved;
        CREATE INDEX incentive_by_customer ON incentive (customer);
        CREATE INDEX incentive_by_sale ON incentive (sale);
        CREATE TABLE incentive_part (                    -- what one rule has put into a coupon
            coupon TEXT NOT NULL, rule TEXT NOT NULL,
            day TEXT NOT NULL,                           -- of the store: it counts against the budget of that day
            amount_minor INTEGER NOT NULL, percent INTEGER NOT NULL, points INTEGER NOT NULL, product TEXT,
            worth_minor INTEGER NOT NULL,
            number INTEGER,                              -- which exit or payment of hers it is for, where the rule counts them
            PRIMARY KEY (coupon, rule)
        ) WITHOUT ROWID;
        CREATE TABLE incentive_day (                     -- the sums of what is reserved, given, or printed: kept by triggers
            rule TEXT NOT NULL, day TEXT NOT NULL, count INTEGER NOT NULL, worth_minor INTEGER NOT NULL,
            PRIMARY KEY (rule, day)
        ) WITHOUT ROWID;
        CREATE TRIGGER incentive_part_added AFTER INSERT ON incentive_part
            WHEN (SELECT state <> 'released' OR paper = 'printed' FROM incentive WHERE coupon = NEW.coupon)
        BEGIN
            INSERT INTO incentive_day VALUES (NEW.rule, NEW.day, 1, NEW.worth_minor) ON CONFLICT DO UPDATE
                SET count = count + 1, worth_minor = worth_minor + excluded.worth_minor;
        END;
        CREATE TRIGGER incentive_part_removed AFTER DELETE ON incentive_part
            WHEN (SELECT state <> 'released' OR paper = 'printed' FROM incentive WHERE coupon = OLD.coupon)
        BEGIN
            UPDATE incentive_day SET count = count - 1, worth_minor = worth_minor - OLD.worth_minor
                WHERE rule = OLD.rule AND day = OLD.day;
        END;
        CREATE TRIGGER incentive_out AFTER UPDATE OF state, paper ON incentive
            WHEN NOT (OLD.state <> 'released' OR OLD.paper = 'printed') AND (NEW.state <> 'released' OR NEW.paper = 'printed')
        BEGIN
            INSERT INTO incentive_day SELECT rule, day, 1, worth_minor FROM incentive_part WHERE coupon = NEW.coupon
                ON CONFLICT DO UPDATE SET count = count + 1, worth_minor = worth_minor + excluded.worth_minor;
        END;
        CREATE TRIGGER incentive_back AFTER UPDATE OF state, paper ON incentive
            WHEN (OLD.state <> 'released' OR OLD.paper = 'printed') AND NOT (NEW.state <> 'released' OR NEW.paper = 'printed')
        BEGIN
            UPDATE incentive_day SET count = count - 1, worth_minor = worth_minor
                    - (SELECT worth_minor FROM incentive_part AS part WHERE part.coupon = NEW.coupon AND part.rule = incentive_day.rule)
                WHERE (rule, day) IN (SELECT rule, day FROM incentive_part WHERE coupon = NEW.coupon);
        END;
        INSERT INTO incentive_part
            SELECT coupon, rule, substr(reserved, 1, 10), amount_minor, 0, points, NULL, amount_minor + points, NULL FROM incentive;
        CREATE TABLE owed (                              -- let through while the sale was not known: the incentive follows
            code TEXT PRIMARY KEY, sale TEXT NOT NULL, scan TEXT NOT NULL, passed TEXT
        ) WITHOUT ROWID;
        CREATE INDEX owed_by_sale ON owed (sale);
        """,
    ),
    # The language of the page that takes notifications. The short code of a list, for a settlement device; which device took
    # which part of the money.
    (
        "hub-17",
        """
        ALTER TABLE push_subscription ADD COLUMN language TEXT NOT NULL DEFAULT '';
        CREATE TABLE cart_code (
            code TEXT PRIMARY KEY, cart TEXT NOT NULL UNIQUE REFERENCES cart ON DELETE CASCADE
        ) WITHOUT ROWID;
        ALTER TABLE sale_tender ADD COLUMN device TEXT NOT NULL DEFAULT '';
        """,
    ),
    # Calls of lanes for a clerk; who passed a lane without having been let through.
    (
        "hub-18",
        """
        CREATE TABLE lane_call (
            alert TEXT PRIMARY KEY, agent TEXT NOT NULL, lane TEXT NOT NULL, call TEXT NOT NULL,
            reason TEXT NOT NULL, detail TEXT NOT NULL, since TEXT NOT NULL, day TEXT NOT NULL,
            state TEXT NOT NULL, holder TEXT, outcome TEXT, revision INTEGER NOT NULL,
            raised TEXT NOT NULL, expires TEXT NOT NULL, changed TEXT NOT NULL, sent TEXT NOT NULL,
            cause TEXT                                   -- message that its newest state comes from
        ) WITHOUT ROWID;
        CREATE INDEX lane_call_open ON lane_call (raised) WHERE state IN ('offered', 'accepted', 'declined');
        CREATE INDEX lane_call_by_change ON lane_call (changed);
        CREATE INDEX lane_call_by_day ON lane_call (day);
        CREATE TABLE lane_call_clerk (
            alert TEXT NOT NULL REFERENCES lane_call ON DELETE CASCADE, clerk TEXT NOT NULL,
            declined INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (alert, clerk)
        ) WITHOUT ROWID;
        CREATE INDEX lane_call_clerk_by_clerk ON lane_call_clerk (clerk);
        CREATE TABLE lane_incident (
            id TEXT PRIMARY KEY, agent TEXT NOT NULL, lane TEXT NOT NULL,
            kind TEXT NOT NULL,                          -- tailgating, wrong_way, both_ways, obstacle, forced, code_twice
            direction TEXT, count INTEGER NOT NULL, scan TEXT, detail TEXT NOT NULL,
            seen TEXT NOT NULL, day TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX lane_incident_by_day ON lane_incident (day, seen);
        """,
    ),
    # What tills have taken, by rule and day: a till that asks must not wait while a year of coupons is added up.
    (
        "hub-19",
        """
        CREATE INDEX redemption_by_sale ON redemption (sale);
        CREATE TABLE redeemed_day (                      -- kept by triggers, as incentive_day is
            rule TEXT NOT NULL, day TEXT NOT NULL,       -- on which it was granted
            count INTEGER NOT NULL, worth_minor INTEGER NOT NULL,
            PRIMARY KEY (rule, day)
        ) WITHOUT ROWID;
        INSERT INTO redeemed_day SELECT rule, day, count(*), sum(worth_minor) FROM redemption JOIN incentive_part USING (coupon)
            GROUP BY rule, day;
        CREATE TRIGGER redeemed AFTER INSERT ON redemption BEGIN
            INSERT INTO redeemed_day SELECT rule, day, 1, worth_minor FROM incentive_part WHERE coupon = NEW.coupon
                ON CONFLICT DO UPDATE SET count = count + 1, worth_minor = worth_minor + excluded.worth_minor;
        END;
        CREATE TRIGGER redeemed_not AFTER DELETE ON redemption BEGIN
            UPDATE redeemed_day SET count = count - 1, worth_minor = worth_minor
                    - (SELECT worth_minor FROM incentive_part AS part WHERE part.coupon = OLD.coupon AND part.rule = redeemed_day.rule)
                WHERE (rule, day) IN (SELECT rule, day FROM incentive_part WHERE coupon = OLD.coupon);
        END;
        CREATE TRIGGER redeemed_part_added AFTER INSERT ON incentive_part
            WHEN EXISTS (SELECT 1 FROM redemption WHERE coupon = NEW.coupon)
        BEGIN
            INSERT INTO redeemed_day VALUES (NEW.rule, NEW.day, 1, NEW.worth_minor) ON CONFLICT DO UPDATE
                SET count = count + 1, worth_minor = worth_minor + excluded.worth_minor;
        END;
        CREATE TRIGGER redeemed_part_removed AFTER DELETE ON incentive_part
            WHEN EXISTS (SELECT 1 FROM redemption WHERE coupon = OLD.coupon)
        BEGIN
            UPDATE redeemed_day SET count = count - 1, worth_minor = worth_minor - OLD.worth_minor
                WHERE rule = OLD.rule AND day = OLD.day;
        END;
        """,
    ),
    # Coupons from history: what is out of a rule, and what she has had of it, is answered by an index alone.
    (
        "hub-20",
        """
        DROP INDEX coupon_by_rule;
        CREATE INDEX coupon_by_rule ON coupon (rule, state, amount_minor);
        DROP INDEX coupon_by_customer;
        CREATE INDEX coupon_by_customer ON coupon (customer, rule, issued);
        """,
    ),
)
