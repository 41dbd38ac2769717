-- The machine's database, version 3: devices that asked to be let in, for as long as that is worth showing.
--
-- Nobody is let in by such a row: a restart ends every join. It says who has to ask again.

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

PRAGMA user_version = 3;
