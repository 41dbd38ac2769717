-- The machine's database, version 1. Times are milliseconds since 1970 UTC, lifetimes are seconds.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- One device key is one id is one row. name_key is the name in lower case: unique in any case.
CREATE TABLE devices (
    id                 BLOB PRIMARY KEY CHECK (length(id) = 16),
    session_key        BLOB NOT NULL UNIQUE CHECK (length(session_key) = 65),
    name               TEXT NOT NULL,
    name_key           TEXT NOT NULL UNIQUE,
    platform           TEXT NOT NULL,
    role               TEXT NOT NULL CHECK (role IN ('owner', 'operator', 'viewer')),
    key_kind           TEXT NOT NULL CHECK (key_kind IN ('hardware', 'keyring', 'file')),
    recognition_key    BLOB NOT NULL CHECK (length(recognition_key) = 32),
    paired_at          INTEGER NOT NULL,
    paired_how         TEXT NOT NULL CHECK (paired_how IN ('scan', 'code')),
    paired_from        TEXT NOT NULL,
    last_seen          INTEGER,
    last_address       TEXT,
    idle_seconds       INTEGER NOT NULL CHECK (idle_seconds >= 0),
    absolute_seconds   INTEGER NOT NULL CHECK (absolute_seconds >= 0),
    session_started_at INTEGER NOT NULL,
    suspended_at       INTEGER,
    suspended_why      TEXT,
    CHECK ((suspended_at IS NULL) = (suspended_why IS NULL))
) STRICT;

-- seq is the order of issue, whatever the clock says.
CREATE TABLE tokens (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    hash       BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    device     BLOB NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    state      TEXT NOT NULL CHECK (state IN ('current', 'pending', 'superseded', 'voided')),
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX tokens_by_device ON tokens (device, state);
CREATE UNIQUE INDEX tokens_one_current ON tokens (device) WHERE state = 'current';

-- A token that was replaced or voided stays so.
CREATE TRIGGER tokens_never_return BEFORE UPDATE OF state ON tokens
WHEN OLD.state IN ('superseded', 'voided') AND NEW.state IS NOT OLD.state
BEGIN
    SELECT RAISE(ABORT, 'a token that was replaced does not come back');
END;

CREATE TABLE tombstones (
    device          BLOB PRIMARY KEY CHECK (length(device) = 16),
    session_key     BLOB NOT NULL UNIQUE CHECK (length(session_key) = 65),
    name            TEXT NOT NULL,
    platform        TEXT NOT NULL,
    role            TEXT NOT NULL CHECK (role IN ('owner', 'operator', 'viewer')),
    recognition_key BLOB NOT NULL CHECK (length(recognition_key) = 32),
    paired_at       INTEGER NOT NULL,
    revoked_at      INTEGER NOT NULL,
    revoked_by      TEXT NOT NULL,
    reason          TEXT,
    counter         INTEGER NOT NULL CHECK (counter >= 0)
) STRICT;

-- A revoked key stays out for ever, whoever inserts the row.
CREATE TRIGGER devices_stay_revoked BEFORE INSERT ON devices
WHEN EXISTS (SELECT 1 FROM tombstones WHERE session_key = NEW.session_key)
BEGIN
    SELECT RAISE(ABORT, 'this device key was revoked');
END;

CREATE TABLE audit (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    at     INTEGER NOT NULL,
    kind   TEXT NOT NULL,
    device BLOB CHECK (device IS NULL OR length(device) = 16),
    text   TEXT NOT NULL
) STRICT;

PRAGMA application_id = 0x70706D01;
PRAGMA user_version = 1;
