"""The hub's tables, as migrations: each is applied once, in order, and never changed after it was released."""

from __future__ import annotations

from delivery.journal import Migration
from hub.database.schema_later import LATER

MIGRATIONS: tuple[Migration, ...] = (
    (
        "hub-1",
        """
        CREATE TABLE clerk (clerk TEXT PRIMARY KEY, name TEXT NOT NULL DEFAULT '');
        CREATE TABLE customer (
            customer TEXT PRIMARY KEY,
            name TEXT NOT NULL DEFAULT '', gender TEXT NOT NULL DEFAULT '', age INTEGER,
            phone TEXT NOT NULL DEFAULT '', email TEXT NOT NULL DEFAULT '',
            language TEXT NOT NULL DEFAULT 'ja', note TEXT NOT NULL DEFAULT '',
            visits INTEGER NOT NULL DEFAULT 0,           -- on how many days she came and bought
            spent_minor INTEGER NOT NULL DEFAULT 0,      -- in all; the average purchase is spent_minor / visits
            points INTEGER NOT NULL DEFAULT 0,
            rank TEXT NOT NULL DEFAULT '',
            main_clerk TEXT REFERENCES clerk,
            terminal_payments INTEGER NOT NULL DEFAULT 0,
            exits INTEGER NOT NULL DEFAULT 0             -- with an exit code
        );
        CREATE TABLE deputy (
            customer TEXT NOT NULL REFERENCES customer ON DELETE CASCADE, clerk TEXT NOT NULL REFERENCES clerk,
            PRIMARY KEY (customer, clerk)
        ) WITHOUT ROWID;
        CREATE TABLE customer_beacon (
            beacon TEXT PRIMARY KEY, customer TEXT NOT NULL REFERENCES customer ON DELETE CASCADE
        ) WITHOUT ROWID;
        CREATE INDEX customer_beacon_by_customer ON customer_beacon (customer);

        CREATE TABLE visit (
            visit TEXT PRIMARY KEY, customer TEXT NOT NULL, day TEXT NOT NULL,
            agent TEXT NOT NULL, opened TEXT NOT NULL,   -- when the advertisement was heard
            gone_since TEXT,                             -- no agent has heard her since; NULL: she is here
            good INTEGER NOT NULL, decided TEXT NOT NULL,
            UNIQUE (customer, day)                       -- one visit, and so one service request, a day
        );
        CREATE TABLE presence (
            beacon TEXT NOT NULL, agent TEXT NOT NULL, visit TEXT NOT NULL REFERENCES visit ON DELETE CASCADE,
            PRIMARY KEY (beacon, agent)
        ) WITHOUT ROWID;
        CREATE INDEX presence_by_visit ON presence (visit);

        CREATE TABLE alert (
            alert TEXT PRIMARY KEY, visit TEXT NOT NULL REFERENCES visit ON DELETE CASCADE, kind TEXT NOT NULL,
            customer TEXT NOT NULL, state TEXT NOT NULL, holder TEXT, revision INTEGER NOT NULL,
            message_ja TEXT NOT NULL, message_en TEXT NOT NULL,
            raised TEXT NOT NULL, expires TEXT NOT NULL, changed TEXT NOT NULL, sent TEXT NOT NULL,
            cause TEXT,                                  -- message that its newest state comes from
            UNIQUE (visit, kind)
        );
        CREATE INDEX alert_by_change ON alert (changed);
        CREATE TABLE alert_clerk (
            alert TEXT NOT NULL REFERENCES alert ON DELETE CASCADE, clerk TEXT NOT NULL, role TEXT NOT NULL,
            declined INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (alert, clerk)
        ) WITHOUT ROWID;
        CREATE INDEX alert_clerk_by_clerk ON alert_clerk (clerk);

        CREATE TABLE sale (
            sale TEXT PRIMARY KEY, customer TEXT REFERENCES customer ON DELETE SET NULL,
            amount_minor INTEGER NOT NULL, currency TEXT NOT NULL, paid_on TEXT NOT NULL, device TEXT NOT NULL,
            sold TEXT NOT NULL, day TEXT NOT NULL, posted_by TEXT NOT NULL, fingerprint TEXT NOT NULL
        );
        CREATE INDEX sale_by_customer ON sale (customer, day);
        CREATE TABLE sale_line (
            sale TEXT NOT NULL REFERENCES sale ON DELETE CASCADE, line INTEGER NOT NULL, product TEXT NOT NULL,
            name TEXT NOT NULL, category TEXT NOT NULL, quantity INTEGER NOT NULL, amount_minor INTEGER NOT NULL,
            PRIMARY KEY (sale, line)
        ) WITHOUT ROWID;
        CREATE TABLE sale_tender (
            sale TEXT NOT NULL REFERENCES sale ON DELETE CASCADE, line INTEGER NOT NULL, method TEXT NOT NULL,
            amount_minor INTEGER NOT NULL,
            PRIMARY KEY (sale, line)
        ) WITHOUT ROWID;
        CREATE TABLE exit_code (
            code TEXT PRIMARY KEY, sale TEXT NOT NULL, issued TEXT NOT NULL, expires TEXT NOT NULL,
            scan TEXT,                                   -- the scan that holds it now, or that used it
            used TEXT                                    -- when its holder passed
        );
        CREATE INDEX exit_code_by_sale ON exit_code (sale);

        CREATE TABLE scan (
            scan TEXT PRIMARY KEY, code TEXT NOT NULL, sale TEXT NOT NULL, customer TEXT, visit TEXT,
            agent TEXT NOT NULL, lane TEXT NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL,
            decided TEXT NOT NULL, decision TEXT NOT NULL,  -- as sent, JSON
            coupon TEXT, ended TEXT, passage TEXT        -- NULL while the lane has not reported the end
        );
        CREATE INDEX scan_by_code ON scan (code);
        CREATE TABLE incentive (
            coupon TEXT PRIMARY KEY, code TEXT NOT NULL UNIQUE, -- one incentive a purchase, however often it is scanned
            scan TEXT NOT NULL, sale TEXT NOT NULL, customer TEXT, rule TEXT NOT NULL, kind TEXT NOT NULL,
            title_ja TEXT NOT NULL, title_en TEXT NOT NULL, amount_minor INTEGER NOT NULL, points INTEGER NOT NULL,
            give TEXT NOT NULL, paper TEXT NOT NULL DEFAULT '', -- '', printed, unknown, failed
            state TEXT NOT NULL,                         -- reserved, committed, released
            reserved TEXT NOT NULL, settled TEXT, valid_until TEXT NOT NULL
        );

        CREATE TABLE trace (
            row INTEGER PRIMARY KEY, visit TEXT NOT NULL, id TEXT NOT NULL, cause TEXT, type TEXT NOT NULL,
            source TEXT NOT NULL, sent TEXT, taken TEXT NOT NULL, summary TEXT NOT NULL
        );
        CREATE INDEX trace_by_visit ON trace (visit);
        CREATE INDEX trace_by_time ON trace (taken);
        """,
    ),
    # An agent that starts anew has forgotten whom it heard: which start a presence is of.
    ("hub-2", "ALTER TABLE presence ADD COLUMN epoch TEXT NOT NULL DEFAULT ''"),
    # Consent, purpose by purpose; groups of clerks; what a clerk may know of a customer's taste; why she has her rank.
    (
        "hub-3",
        """
        CREATE TABLE consent (
            consent TEXT PRIMARY KEY, customer TEXT NOT NULL REFERENCES customer ON DELETE CASCADE,
            purpose TEXT NOT NULL,                       -- hub.database.consents.Purpose
            wording TEXT NOT NULL,                       -- which text she agreed to
            given TEXT NOT NULL, withdrawn TEXT
        );
        CREATE UNIQUE INDEX consent_in_force ON consent (customer, purpose) WHERE withdrawn IS NULL;
        CREATE TABLE clerk_group (
            name TEXT NOT NULL, clerk TEXT NOT NULL REFERENCES clerk ON DELETE CASCADE, PRIMARY KEY (name, clerk)
        ) WITHOUT ROWID;
        ALTER TABLE clerk ADD COLUMN left_on TEXT;       -- the day since which she works here no more
        ALTER TABLE customer ADD COLUMN preferences TEXT NOT NULL DEFAULT '';
        ALTER TABLE customer ADD COLUMN rank_reason TEXT NOT NULL DEFAULT '';
        """,
    ),
    # Coupons from purchase history, and where any coupon was used. Visits from before are decided: nobody is surprised.
    (
        "hub-4",
        """
        CREATE TABLE coupon (
            coupon TEXT PRIMARY KEY, customer TEXT REFERENCES customer ON DELETE SET NULL, rule TEXT NOT NULL,
            kind TEXT NOT NULL, title_ja TEXT NOT NULL, title_en TEXT NOT NULL, text_ja TEXT NOT NULL, text_en TEXT NOT NULL,
            amount_minor INTEGER NOT NULL, points INTEGER NOT NULL, issued TEXT NOT NULL,
            valid_from TEXT NOT NULL, valid_until TEXT NOT NULL,
            state TEXT NOT NULL,                         -- offered, redeemed, expired, withdrawn
            revision INTEGER NOT NULL, to_terminal INTEGER NOT NULL,
            kept INTEGER NOT NULL                        -- the revision that her terminal has kept
        );
        CREATE INDEX coupon_by_customer ON coupon (customer);
        CREATE INDEX coupon_by_rule ON coupon (rule);
        CREATE INDEX coupon_open ON coupon (valid_until) WHERE state = 'offered';
        CREATE TABLE redemption (                        -- of a coupon from history or from a lane: once
            coupon TEXT PRIMARY KEY, sale TEXT NOT NULL, pos TEXT NOT NULL, at TEXT NOT NULL
        );
        ALTER TABLE visit ADD COLUMN coupons TEXT;       -- what was decided of them; NULL: not yet
        UPDATE visit SET coupons = '';
        CREATE INDEX visit_without_coupons ON visit (opened) WHERE coupons IS NULL;
        """,
    ),
    # An alert may be of one of several treatments or coupons in a visit, goes to a group, has an outcome. What a good customer's
    # terminal was asked for and what was decided: never a reading. A new table, since SQLite can't take a UNIQUE off one.
    (
        "hub-5",
        """
        CREATE TABLE alert_new (
            alert TEXT PRIMARY KEY, visit TEXT NOT NULL REFERENCES visit ON DELETE CASCADE, kind TEXT NOT NULL,
            subject TEXT NOT NULL DEFAULT '',            -- which treatment, which coupon
            customer TEXT NOT NULL, state TEXT NOT NULL, holder TEXT, outcome TEXT,
            suggested TEXT,                              -- the outcome that a sale suggests while nobody has said one
            revision INTEGER NOT NULL, message_ja TEXT NOT NULL, message_en TEXT NOT NULL,
            raised TEXT NOT NULL, expires TEXT NOT NULL, changed TEXT NOT NULL, sent TEXT NOT NULL,
            escalate_at TEXT,                            -- when it goes to the group; NULL: never, or it was tried
            sense_at TEXT,                               -- when to ask her terminal; NULL: not, or not again
            cause TEXT,                                  -- message that its newest state comes from
            UNIQUE (visit, kind, subject)
        );
        INSERT INTO alert_new (alert, visit, kind, customer, state, holder, revision, message_ja, message_en, raised, expires,
                               changed, sent, cause)
            SELECT alert, visit, kind, customer, state, holder, revision, message_ja, message_en, raised, expires, changed, sent,
                   cause FROM alert;
        CREATE TABLE alert_clerk_new (
            alert TEXT NOT NULL REFERENCES alert_new ON DELETE CASCADE, clerk TEXT NOT NULL, role TEXT NOT NULL,
            declined INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (alert, clerk)
        ) WITHOUT ROWID;
        INSERT INTO alert_clerk_new SELECT alert, clerk, role, declined FROM alert_clerk;
        DROP TABLE alert_clerk;
        DROP TABLE alert;
        ALTER TABLE alert_new RENAME TO alert;
        ALTER TABLE alert_clerk_new RENAME TO alert_clerk;
        CREATE INDEX alert_by_change ON alert (changed);
        CREATE INDEX alert_by_customer ON alert (customer);
        CREATE INDEX alert_open ON alert (visit) WHERE state IN ('offered', 'accepted', 'declined');
        CREATE INDEX alert_to_sense ON alert (sense_at) WHERE sense_at IS NOT NULL;
        CREATE INDEX alert_clerk_by_clerk ON alert_clerk (clerk);

        CREATE TABLE sensing (
            request TEXT PRIMARY KEY, visit TEXT NOT NULL REFERENCES visit ON DELETE CASCADE, customer TEXT NOT NULL,
            consent TEXT NOT NULL,                       -- the consent that it rests on
            readings TEXT NOT NULL,                      -- which were asked for
            sent TEXT NOT NULL, deadline TEXT NOT NULL,
            state TEXT NOT NULL,                         -- asked, answered, refused, silent
            rule TEXT NOT NULL DEFAULT '', treatment TEXT, decided TEXT NOT NULL DEFAULT ''  -- without values
        );
        CREATE INDEX sensing_by_visit ON sensing (visit);
        CREATE INDEX sensing_by_customer ON sensing (customer);
        CREATE INDEX sensing_open ON sensing (deadline) WHERE state = 'asked';
        """,
    ),
    # Where she was heard last; keys of rotating beacons; people counted without an identity. `recognition` changes whenever it
    # may have changed whom an identifier belongs to, or whether she may be recognised: what is remembered of it is then dropped.
    (
        "hub-6",
        """
        ALTER TABLE presence ADD COLUMN heard TEXT NOT NULL DEFAULT '';
        ALTER TABLE presence ADD COLUMN distance_m REAL;
        ALTER TABLE visit ADD COLUMN last_agent TEXT NOT NULL DEFAULT '';
        ALTER TABLE visit ADD COLUMN last_heard TEXT NOT NULL DEFAULT '';
        UPDATE visit SET last_agent = agent, last_heard = opened;
        CREATE TABLE eid_key (
            row INTEGER PRIMARY KEY AUTOINCREMENT,       -- grows: what is new is found without reading all
            beacon TEXT NOT NULL UNIQUE,                 -- eid:…, its name for life, made of the key
            customer TEXT NOT NULL REFERENCES customer ON DELETE CASCADE,
            identity_key BLOB NOT NULL, exponent INTEGER NOT NULL,
            zero_s REAL NOT NULL,                        -- when the beacon's counter was 0, by the hub's clock (UNIX time)
            drift_s REAL NOT NULL DEFAULT 0,             -- how far its clock was ahead when it was heard last
            seen_s REAL NOT NULL                         -- when that was; at first: when the key was entered
        );
        CREATE INDEX eid_key_by_customer ON eid_key (customer);
        CREATE TABLE visitors (
            day TEXT NOT NULL, agent TEXT NOT NULL, device TEXT NOT NULL,
            entered INTEGER NOT NULL, "left" INTEGER NOT NULL,
            PRIMARY KEY (day, agent, device)
        ) WITHOUT ROWID;
        CREATE TABLE recognition (version INTEGER NOT NULL);
        INSERT INTO recognition VALUES (1);
        CREATE TRIGGER beacon_added AFTER INSERT ON customer_beacon BEGIN UPDATE recognition SET version = version + 1; END;
        CREATE TRIGGER beacon_changed AFTER UPDATE ON customer_beacon BEGIN UPDATE recognition SET version = version + 1; END;
        CREATE TRIGGER beacon_removed AFTER DELETE ON customer_beacon BEGIN UPDATE recognition SET version = version + 1; END;
        CREATE TRIGGER eid_added AFTER INSERT ON eid_key BEGIN UPDATE recognition SET version = version + 1; END;
        CREATE TRIGGER eid_removed AFTER DELETE ON eid_key BEGIN UPDATE recognition SET version = version + 1; END;
        CREATE TRIGGER consent_given AFTER INSERT ON consent BEGIN UPDATE recognition SET version = version + 1; END;
        CREATE TRIGGER consent_changed AFTER UPDATE ON consent BEGIN UPDATE recognition SET version = version + 1; END;
        CREATE TRIGGER consent_removed AFTER DELETE ON consent BEGIN UPDATE recognition SET version = version + 1; END;
        """,
    ),
    # Members who registered by themselves: how their terminals sign in again, and how a person gets back to her record.
    (
        "hub-7",
        """
        CREATE TABLE member (
            customer TEXT PRIMARY KEY REFERENCES customer ON DELETE CASCADE, registered TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE member_session (
            hash TEXT PRIMARY KEY,                       -- SHA-256 of the cookie's value
            customer TEXT NOT NULL REFERENCES customer ON DELETE CASCADE,
            began TEXT NOT NULL, used TEXT NOT NULL      -- used: to the day
        ) WITHOUT ROWID;
        CREATE INDEX member_session_by_customer ON member_session (customer);
        CREATE TABLE member_claim (                      -- somebody says: I am a member already
            hash TEXT PRIMARY KEY,                       -- SHA-256 of what her terminal holds
            number TEXT NOT NULL UNIQUE,                 -- what her terminal shows to a clerk
            code_hash TEXT,                              -- of the one-time code that went to the mailbox of the record
            customer TEXT REFERENCES customer ON DELETE CASCADE,   -- whose record it may be; NULL: nobody's that we know
            joins TEXT,                                  -- the new record of the same terminal, if it has one
            tries INTEGER NOT NULL DEFAULT 0, begun TEXT NOT NULL, expires TEXT NOT NULL,
            confirmed TEXT, confirmed_by TEXT
        ) WITHOUT ROWID;
        CREATE INDEX member_claim_by_customer ON member_claim (customer);
        CREATE INDEX member_claim_by_time ON member_claim (expires);
        CREATE INDEX customer_by_email ON customer (lower(email)) WHERE email <> '';
        CREATE INDEX customer_by_phone ON customer (
            replace(replace(replace(replace(phone, '-', ''), ' ', ''), '(', ''), ')', '')
        ) WHERE phone <> '';
        """,
    ),
    # A year or day of birth instead of an age, which rots. What a sale brought, so that a void takes just that back. The rank
    # that an import said, which holds for a while; how far the newest look at all ranks has come. Who wants to be forgotten.
    (
        "hub-8",
        """
        ALTER TABLE customer ADD COLUMN born TEXT NOT NULL DEFAULT '';  -- 1984, 1984-05 or 1984-05-23; '': not known
        UPDATE customer SET born = CAST(strftime('%Y', 'now') - age AS TEXT) WHERE age IS NOT NULL;
        ALTER TABLE customer DROP COLUMN age;
        ALTER TABLE customer ADD COLUMN rank_imported TEXT NOT NULL DEFAULT '';
        ALTER TABLE customer ADD COLUMN rank_imported_on TEXT NOT NULL DEFAULT '';
        ALTER TABLE sale ADD COLUMN points INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE sale ADD COLUMN unclaimed TEXT;      -- whom the POS named, as long as nobody has that ID
        ALTER TABLE sale ADD COLUMN void TEXT;           -- the void's own ID; NULL: the sale stands
        ALTER TABLE sale ADD COLUMN voided TEXT;
        CREATE INDEX sale_unclaimed ON sale (unclaimed) WHERE unclaimed IS NOT NULL;
        CREATE TABLE rank_run (day TEXT NOT NULL, rules TEXT NOT NULL, upto TEXT NOT NULL, done INTEGER NOT NULL);
        CREATE TABLE erasure (customer TEXT PRIMARY KEY, asked TEXT NOT NULL, erased TEXT);  -- JSON: counts by table
        """,
    ),
    ("hub-9", "CREATE UNIQUE INDEX sale_by_void ON sale (void) WHERE void IS NOT NULL"),
    (
        "hub-10",
        "CREATE TRIGGER visit_removed AFTER DELETE ON visit BEGIN UPDATE recognition SET version = version + 1; END",
    ),
    # What the store sells; a customer's list while she shops; payments on her terminal. A payment names nobody: it outlives her.
    (
        "hub-11",
        """
        CREATE TABLE product (
            code TEXT PRIMARY KEY,                       -- as hub.shopping.codes writes it
            name_ja TEXT NOT NULL, name_en TEXT NOT NULL, price_minor INTEGER NOT NULL,
            tax_per_mille INTEGER,                       -- NULL: the store's usual rate
            category TEXT NOT NULL DEFAULT '', on_sale INTEGER NOT NULL DEFAULT 1
        ) WITHOUT ROWID;
        CREATE TABLE cart (
            cart TEXT PRIMARY KEY, customer TEXT NOT NULL REFERENCES customer ON DELETE CASCADE,
            state TEXT NOT NULL,                         -- open, paying, paid, cancelled
            revision INTEGER NOT NULL,                   -- grows over all carts of a customer
            payment TEXT, sale TEXT, opened TEXT NOT NULL, changed TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE UNIQUE INDEX cart_open ON cart (customer) WHERE state IN ('open', 'paying');
        CREATE INDEX cart_by_customer ON cart (customer, revision);
        CREATE INDEX cart_by_change ON cart (state, changed);
        CREATE TABLE cart_line (
            cart TEXT NOT NULL REFERENCES cart ON DELETE CASCADE, line INTEGER NOT NULL, product TEXT NOT NULL,
            name_ja TEXT NOT NULL, name_en TEXT NOT NULL, category TEXT NOT NULL,
            price_minor INTEGER NOT NULL, tax_per_mille INTEGER NOT NULL, quantity INTEGER NOT NULL,
            PRIMARY KEY (cart, line)
        ) WITHOUT ROWID;
        CREATE TABLE cart_command (                      -- what a terminal has asked for: once
            customer TEXT NOT NULL REFERENCES customer ON DELETE CASCADE, command TEXT NOT NULL,
            what TEXT NOT NULL, at TEXT NOT NULL,
            PRIMARY KEY (customer, command)
        ) WITHOUT ROWID;
        CREATE INDEX cart_command_by_time ON cart_command (at);
        CREATE TABLE payment (
            payment TEXT PRIMARY KEY, cart TEXT NOT NULL, amount_minor INTEGER NOT NULL, provider TEXT NOT NULL,
            state TEXT NOT NULL,                         -- begun, confirmed, failed, cancelled, expired
            post TEXT NOT NULL,                          -- the sale that it becomes, without the customer, JSON
            begun TEXT NOT NULL, expires TEXT NOT NULL, settled TEXT, sale TEXT
        ) WITHOUT ROWID;
        CREATE INDEX payment_open ON payment (expires) WHERE state = 'begun';
        CREATE TABLE payment_call (                      -- signed calls that were taken: each once
            id TEXT PRIMARY KEY, at TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX payment_call_by_time ON payment_call (at);
        """,
    ),
    # Whether a person was seen to be who she says (at the counter, or by her mailbox) when her terminal signed in.
    ("hub-12", "ALTER TABLE member_session ADD COLUMN proved INTEGER NOT NULL DEFAULT 0"),
    ("hub-13", "CREATE INDEX customer_unranked ON customer (customer) WHERE rank = ''"),
    *LATER,
)
