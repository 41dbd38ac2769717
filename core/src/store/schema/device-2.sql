-- The device's database, version 2.

-- Forgotten here since then: the keys stay until the machine was told.
ALTER TABLE machines ADD COLUMN leaving_at INTEGER;

-- What owner devices keep for a machine that is restored from a backup.
--
-- Counter and tombstones are kept as the machine gave them away: only it can check its MACs.

CREATE TABLE kept_counters (
    row     INTEGER PRIMARY KEY REFERENCES machines (row) ON DELETE CASCADE,
    counter INTEGER NOT NULL CHECK (counter >= 0),
    mac     BLOB NOT NULL CHECK (length(mac) = 32)
) STRICT;

CREATE TABLE kept_tombstones (
    row         INTEGER NOT NULL REFERENCES machines (row) ON DELETE CASCADE,
    session_key BLOB NOT NULL CHECK (length(session_key) = 65),
    counter     INTEGER NOT NULL CHECK (counter >= 0),
    proof       TEXT NOT NULL CHECK (json_valid(proof) AND length(proof) <= 4096),
    PRIMARY KEY (row, session_key)
) STRICT, WITHOUT ROWID;

-- When the machine was last seen with less than it had, the counter it had had, and how many tombstones it was handed back since.
ALTER TABLE machines ADD COLUMN restored_at INTEGER;
ALTER TABLE machines ADD COLUMN restored_from INTEGER;
ALTER TABLE machines ADD COLUMN restored_taken INTEGER NOT NULL DEFAULT 0;

PRAGMA user_version = 2;
