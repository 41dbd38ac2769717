-- The machine's database, version 2: approval keys, and who let a device in.
--
-- A column's CHECK cannot be changed in place, and a table that others refer to cannot be dropped without
-- taking their rows along: devices and tokens are made anew together, the tokens dropped first.

CREATE TABLE devices_2 (
    id                 BLOB PRIMARY KEY CHECK (length(id) = 16),
    session_key        BLOB NOT NULL UNIQUE CHECK (length(session_key) = 65),
    name               TEXT NOT NULL,
    name_key           TEXT NOT NULL UNIQUE,
    platform           TEXT NOT NULL,
    role               TEXT NOT NULL CHECK (role IN ('owner', 'operator', 'viewer')),
    key_kind           TEXT NOT NULL CHECK (key_kind IN ('hardware', 'keyring', 'file')),
    recognition_key    BLOB NOT NULL CHECK (length(recognition_key) = 32),
    paired_at          INTEGER NOT NULL,
    paired_how         TEXT NOT NULL CHECK (paired_how IN ('scan', 'code', 'join')),
    paired_from        TEXT NOT NULL,
    last_seen          INTEGER,
    last_address       TEXT,
    idle_seconds       INTEGER NOT NULL CHECK (idle_seconds >= 0),
    absolute_seconds   INTEGER NOT NULL CHECK (absolute_seconds >= 0),
    session_started_at INTEGER NOT NULL,
    suspended_at       INTEGER,
    suspended_why      TEXT,
    approval_key       BLOB UNIQUE CHECK (approval_key IS NULL OR length(approval_key) = 65),
    approval_guard     TEXT CHECK (approval_guard IN ('lock', 'passphrase', 'nothing')),
    approval_at        INTEGER,
    -- Who let it in, where somebody did: a device and the name it had then, or nobody's id and the shell's
    -- name; by a scan, by the number, or at the console; over which network.
    let_in_device      BLOB CHECK (let_in_device IS NULL OR length(let_in_device) = 16),
    let_in_by          TEXT,
    let_in_how         TEXT CHECK (let_in_how IN ('scan', 'number')),
    let_in_over        TEXT,
    CHECK ((suspended_at IS NULL) = (suspended_why IS NULL)),
    CHECK ((approval_key IS NULL) = (approval_guard IS NULL)),
    CHECK ((approval_key IS NULL) = (approval_at IS NULL)),
    CHECK ((paired_how = 'join') = (let_in_by IS NOT NULL)),
    CHECK ((let_in_by IS NULL) = (let_in_how IS NULL)),
    CHECK ((let_in_by IS NULL) = (let_in_over IS NULL))
) STRICT;

INSERT INTO devices_2 (id, session_key, name, name_key, platform, role, key_kind, recognition_key, paired_at,
                       paired_how, paired_from, last_seen, last_address, idle_seconds, absolute_seconds,
                       session_started_at, suspended_at, suspended_why)
SELECT id, session_key, name, name_key, platform, role, key_kind, recognition_key, paired_at,
       paired_how, paired_from, last_seen, last_address, idle_seconds, absolute_seconds,
       session_started_at, suspended_at, suspended_why
FROM devices;

CREATE TABLE tokens_2 (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    hash       BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    device     BLOB NOT NULL REFERENCES devices_2 (id) ON DELETE CASCADE,
    state      TEXT NOT NULL CHECK (state IN ('current', 'pending', 'superseded', 'voided')),
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;

INSERT INTO tokens_2 SELECT seq, hash, device, state, created_at, changed_at FROM tokens;
-- seq goes on where it was, also where the newest tokens are gone.
UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence WHERE name = 'tokens') WHERE name = 'tokens_2'
    AND EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'tokens');

DROP TABLE tokens;
DROP TABLE devices;
ALTER TABLE devices_2 RENAME TO devices;
ALTER TABLE tokens_2 RENAME TO tokens;

CREATE INDEX tokens_by_device ON tokens (device, state);
CREATE UNIQUE INDEX tokens_one_current ON tokens (device) WHERE state = 'current';

-- A token that was replaced or voided stays so.
CREATE TRIGGER tokens_never_return BEFORE UPDATE OF state ON tokens
WHEN OLD.state IN ('superseded', 'voided') AND NEW.state IS NOT OLD.state
BEGIN
    SELECT RAISE(ABORT, 'a token that was replaced does not come back');
END;

-- A revoked key stays out for ever, whoever inserts the row.
CREATE TRIGGER devices_stay_revoked BEFORE INSERT ON devices
WHEN EXISTS (SELECT 1 FROM tombstones WHERE session_key = NEW.session_key)
BEGIN
    SELECT RAISE(ABORT, 'this device key was revoked');
END;

-- An approval key is brought once; another one only where the first was taken away before.
CREATE TRIGGER devices_approval_once BEFORE UPDATE OF approval_key ON devices
WHEN OLD.approval_key IS NOT NULL AND NEW.approval_key IS NOT NULL AND NEW.approval_key IS NOT OLD.approval_key
BEGIN
    SELECT RAISE(ABORT, 'this device has an approval key');
END;

PRAGMA user_version = 2;
