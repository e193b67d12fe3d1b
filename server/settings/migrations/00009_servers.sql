-- +goose Up

-- moves counts how often the marks of webhooks were moved: servers that share these settings move them in turn, and
-- what one remembers of them is good only while no other one has.
ALTER TABLE webhook_versions ADD COLUMN moves BIGINT NOT NULL DEFAULT 0;

-- Logins that failed, counted together by servers that share these settings: of an address or a name, when all attempts
-- are available again.
CREATE TABLE failed_logins (
    who   TEXT PRIMARY KEY,
    whole BIGINT NOT NULL
);

-- +goose Down
DROP TABLE failed_logins;
ALTER TABLE webhook_versions DROP COLUMN moves;
