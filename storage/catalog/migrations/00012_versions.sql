-- +goose Up

-- Which version names a commit: a new one is compared with those of its state, not with all.
CREATE INDEX versions_by_commit ON versions (dataset_id, commit_id);

-- +goose Down
DROP INDEX versions_by_commit;
