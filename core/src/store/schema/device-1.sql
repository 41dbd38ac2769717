-- The device's database, version 1. Times are milliseconds since 1970 UTC, lifetimes are seconds.
-- Keys, tokens and recognition keys are in the secret store under the row's label, never here.

CREATE TABLE machines (
    row              INTEGER PRIMARY KEY AUTOINCREMENT,
    label            TEXT NOT NULL UNIQUE,
    machine_id       BLOB NOT NULL CHECK (length(machine_id) = 16),
    name             TEXT NOT NULL,
    name_key         TEXT NOT NULL,
    machine_name     TEXT NOT NULL,
    platform         TEXT NOT NULL,
    pin              BLOB NOT NULL CHECK (length(pin) = 32),
    next_pin         BLOB CHECK (next_pin IS NULL OR length(next_pin) = 32),
    epoch            INTEGER NOT NULL DEFAULT 0 CHECK (epoch >= 0),
    device_id        BLOB NOT NULL CHECK (length(device_id) = 16),
    device_name      TEXT NOT NULL,
    role             TEXT NOT NULL CHECK (role IN ('owner', 'operator', 'viewer')),
    state            TEXT NOT NULL CHECK (state IN ('unfinished', 'granted', 'active', 'revoked')),
    offer_id         BLOB CHECK (offer_id IS NULL OR length(offer_id) = 8),
    addresses        TEXT NOT NULL CHECK (json_valid(addresses)),
    last_address     TEXT,
    paired_at        INTEGER,
    last_online      INTEGER,
    offline_since    INTEGER,
    offline_reason   TEXT,
    revoked_by       TEXT,
    revoked_at       INTEGER,
    revoked_reason   TEXT,
    erased           INTEGER NOT NULL DEFAULT 0 CHECK (erased IN (0, 1)),
    secret_store     TEXT NOT NULL CHECK (secret_store IN ('hardware', 'keyring', 'file')),
    counter          INTEGER NOT NULL DEFAULT 0 CHECK (counter >= 0),
    idle_seconds     INTEGER CHECK (idle_seconds IS NULL OR idle_seconds >= 0),
    expires_at       INTEGER,
    key_changed_at   INTEGER,
    key_changed_seen BLOB CHECK (key_changed_seen IS NULL OR length(key_changed_seen) = 32),
    CHECK ((state = 'revoked') = (revoked_at IS NOT NULL)),
    CHECK ((key_changed_at IS NULL) = (key_changed_seen IS NULL))
) STRICT;

-- At most one live row for a key and for a name; what was revoked keeps both without blocking them.
CREATE UNIQUE INDEX machines_one_live_pin ON machines (pin) WHERE state <> 'revoked';
CREATE UNIQUE INDEX machines_one_live_name ON machines (name_key) WHERE state <> 'revoked';
CREATE INDEX machines_by_machine_id ON machines (machine_id);

-- Epochs never go down.
CREATE TRIGGER machines_epoch BEFORE UPDATE OF epoch ON machines WHEN NEW.epoch < OLD.epoch
BEGIN
    SELECT RAISE(ABORT, 'an epoch never goes down');
END;

PRAGMA application_id = 0x70706401;
PRAGMA user_version = 1;
