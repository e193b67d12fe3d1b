-- +goose Up

-- Whose commits and entries are a dataset's history: its own, and of a fork those of its upstream, of that one's
-- upstream and so on, each after one commit and until another. The ranges of a dataset do not overlap. A fork that was
-- made before this table has copies of what it inherited, as if it were its own.
CREATE TABLE lineage (
    dataset_id   TEXT NOT NULL REFERENCES datasets (id),
    ancestor_id  TEXT NOT NULL REFERENCES datasets (id),
    after_commit BIGINT NOT NULL,
    until_commit BIGINT NOT NULL, -- 9223372036854775807: of the dataset itself
    PRIMARY KEY (dataset_id, until_commit)
);
INSERT INTO lineage (dataset_id, ancestor_id, after_commit, until_commit)
    SELECT id, id, 0, 9223372036854775807 FROM datasets;

-- The rollback that undid a commit and is in effect, as one dataset has it: what a fork undoes of what it inherited is
-- not undone in its upstream, nor the reverse.
CREATE TABLE undone (
    dataset_id         TEXT NOT NULL REFERENCES datasets (id),
    commit_id          BIGINT NOT NULL,
    rollback_commit_id BIGINT NOT NULL,
    PRIMARY KEY (dataset_id, commit_id)
);
INSERT INTO undone (dataset_id, commit_id, rollback_commit_id)
    SELECT dataset_id, id, rollback_commit_id FROM commits WHERE rollback_commit_id IS NOT NULL;
ALTER TABLE commits DROP COLUMN rollback_commit_id;

-- The few commits that are looked for by their mode.
CREATE INDEX commits_by_mode ON commits (dataset_id, mode, id)
    WHERE mode = 'rollback' OR mode = 'restore' OR mode = 'merge';
-- What every start ends and forgets.
CREATE INDEX jobs_unfinished ON jobs (id) WHERE progress >= 0 AND progress < 100;
CREATE INDEX receipts_by_time ON receipts (created_at);

-- +goose Down
-- There is no way back: forks would have to be given copies of their history. A catalog that is removed is made anew
-- from the objects.
SELECT 1;
