-- +goose Up

-- Former versions of the program could keep a digest of a state that a vacuum had just removed, and computed those of
-- later states from it. They are computed again: those of files stay, so that it costs little.
DELETE FROM commit_digests WHERE commit_id IN (
    SELECT c.id FROM commits c JOIN datasets d ON d.id = c.dataset_id
    WHERE d.family_id IN (SELECT family_id FROM removals WHERE kind = 'vacuum')
);

-- +goose Down

-- Nothing: what is missing is computed again.
SELECT 1;
