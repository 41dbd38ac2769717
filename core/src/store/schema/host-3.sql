-- The machine's database, version 3.

-- Devices that asked to be let in, for as long as that is worth showing. Nobody is let in by such a row: a restart ends every join. It says who has to ask again.

CREATE TABLE asked_joins (
    id           BLOB PRIMARY KEY CHECK (length(id) = 5),
    session_key  BLOB NOT NULL CHECK (length(session_key) = 65),
    name         TEXT NOT NULL,
    platform     TEXT NOT NULL,
    asked_from   TEXT NOT NULL,
    network      TEXT NOT NULL,
    same_network INTEGER NOT NULL CHECK (same_network IN (0, 1)),
    asked_at     INTEGER NOT NULL
) STRICT;

-- Which device caused a line of the log, where one did; `device` is the one that the line is about.
ALTER TABLE audit ADD COLUMN by_device BLOB CHECK (by_device IS NULL OR length(by_device) = 16);
CREATE INDEX audit_by_device ON audit (by_device) WHERE by_device IS NOT NULL;

-- The device whose offer let a device in, and the name it had then. Offers of the machine's shell are nobody's.
ALTER TABLE devices ADD COLUMN let_in_offer_device BLOB
    CHECK (let_in_offer_device IS NULL OR length(let_in_offer_device) = 16);
ALTER TABLE devices ADD COLUMN let_in_offer_by TEXT;

-- Recovery sheets that are over, only to name the cause to who holds one. The live one is in meta.
CREATE TABLE recovery_spent (
    key      BLOB PRIMARY KEY CHECK (length(key) = 32),
    answers  BLOB NOT NULL CHECK (length(answers) = 32),
    ended    TEXT NOT NULL CHECK (ended IN ('used', 'voided')),
    ended_at INTEGER NOT NULL
) STRICT;

PRAGMA user_version = 3;
