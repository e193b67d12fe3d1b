-- +goose Up

-- Times are microseconds since 1970; 0 stands for none.

-- users are those who may be given roles and tokens.
CREATE TABLE users (
    name        TEXT PRIMARY KEY,
    description TEXT NOT NULL DEFAULT '',
    is_disabled INTEGER NOT NULL DEFAULT 0,
    created_at  INTEGER NOT NULL
);

-- roles says what a user may do in a project; project_id 0 stands for all projects.
CREATE TABLE roles (
    user_name  TEXT NOT NULL REFERENCES users (name) ON UPDATE CASCADE ON DELETE CASCADE,
    project_id INTEGER NOT NULL,
    role       TEXT NOT NULL,
    PRIMARY KEY (user_name, project_id)
);

-- tokens are what users authenticate with. Only the SHA-256 of a token is kept; role bounds what it may do.
CREATE TABLE tokens (
    id           TEXT PRIMARY KEY,
    hash         BLOB NOT NULL UNIQUE,
    user_name    TEXT NOT NULL REFERENCES users (name) ON UPDATE CASCADE ON DELETE CASCADE,
    description  TEXT NOT NULL DEFAULT '',
    role         TEXT NOT NULL,
    all_projects INTEGER NOT NULL DEFAULT 1,
    created_at   INTEGER NOT NULL,
    created_by   TEXT NOT NULL,
    expires_at   INTEGER NOT NULL DEFAULT 0,
    used_at      INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX tokens_by_user ON tokens (user_name);

-- token_projects are the projects that a token is for, unless it is for all.
CREATE TABLE token_projects (
    token_id   TEXT NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
    project_id INTEGER NOT NULL,
    PRIMARY KEY (token_id, project_id)
);

-- projects have names. Datasets may be in a project that is not here: its number is its name.
CREATE TABLE projects (
    id          INTEGER PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL DEFAULT '',
    created_at  INTEGER NOT NULL
);

-- closed has a row once there has been a user or a token: from then on no one is let in without, even if all are removed.
CREATE TABLE closed (
    is_closed INTEGER PRIMARY KEY CHECK (is_closed = 1)
);

-- +goose Down
DROP TABLE closed;
DROP TABLE projects;
DROP TABLE token_projects;
DROP TABLE tokens;
DROP TABLE roles;
DROP TABLE users;
