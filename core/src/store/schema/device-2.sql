-- The device's database, version 2.

-- Forgotten here since then: the keys stay until the machine was told.
ALTER TABLE machines ADD COLUMN leaving_at INTEGER;

PRAGMA user_version = 2;
