-- +goose Up

-- sessions are logins. Only the SHA-256 of what opens one is kept. One that stands for a token ends with it.
CREATE TABLE sessions (
    hash       BLOB PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    user_name  TEXT NOT NULL, -- of a server without tokens, or with tokens of the operator: no user need be here
    token_id   TEXT REFERENCES tokens (id) ON DELETE CASCADE,
    fixed_hash BLOB, -- of the operator's token that was shown
    identity   TEXT, -- JSON: whom an identity provider vouched for
    address    TEXT NOT NULL DEFAULT '',
    started_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL, -- if it is not used before
    lasts_to   INTEGER NOT NULL  -- however much it is used
);

CREATE INDEX sessions_by_user ON sessions (user_name, started_at);
CREATE INDEX sessions_by_start ON sessions (started_at);
CREATE INDEX sessions_by_token ON sessions (token_id);

-- identities are which users an identity provider vouches for, since their first login.
CREATE TABLE identities (
    issuer    TEXT NOT NULL,
    subject   TEXT NOT NULL,
    user_name TEXT NOT NULL UNIQUE REFERENCES users (name) ON UPDATE CASCADE ON DELETE CASCADE,
    PRIMARY KEY (issuer, subject)
);

-- belongs has one row: the store that these settings are of, and the restoration of it that they were last used in.
CREATE TABLE belongs (
    store_id    TEXT NOT NULL,
    restored_at INTEGER NOT NULL DEFAULT 0
);

-- +goose Down
DROP TABLE belongs;
DROP TABLE identities;
DROP TABLE sessions;
