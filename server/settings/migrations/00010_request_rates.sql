-- +goose Up

-- Requests that were let through, counted together by servers that share these settings: of a user, a token or an
-- address, when all of its limit is available again.
CREATE TABLE request_rates (
    who   TEXT PRIMARY KEY,
    whole BIGINT NOT NULL
);

-- +goose Down
DROP TABLE request_rates;
