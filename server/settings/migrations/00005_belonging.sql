-- +goose Up

-- single_sign_on says that whoever the identity provider calls by this name is this user. A name that was given here is
-- not given to a stranger by the provider.
ALTER TABLE users ADD COLUMN single_sign_on INTEGER NOT NULL DEFAULT 0;
UPDATE users SET single_sign_on = 1 WHERE name IN (SELECT user_name FROM identities);

-- last_groups are the provider's groups of the user when they were told last, as JSON: webhooks depend on the role that
-- they give, and have no login of their own.
ALTER TABLE identities ADD COLUMN last_groups TEXT NOT NULL DEFAULT '[]';
ALTER TABLE identities ADD COLUMN groups_until INTEGER NOT NULL DEFAULT 0; -- the end of the token that told them

-- +goose Down
ALTER TABLE identities DROP COLUMN groups_until;
ALTER TABLE identities DROP COLUMN last_groups;
ALTER TABLE users DROP COLUMN single_sign_on;
