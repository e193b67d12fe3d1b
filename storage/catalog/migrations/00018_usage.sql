-- +goose Up

-- What each dataset stores: the bytes of the data and rollback files that it wrote. Triggers keep it, so that it is in
-- step with the files whatever changes them, and costs the same however many there are.
CREATE TABLE usage (
    dataset_id TEXT PRIMARY KEY,
    byte_count BIGINT NOT NULL
);
INSERT INTO usage (dataset_id, byte_count) SELECT dataset_id, SUM(byte_count) FROM files GROUP BY dataset_id;

-- +goose StatementBegin
CREATE TRIGGER usage_of_new_files AFTER INSERT ON files BEGIN
    INSERT INTO usage (dataset_id, byte_count) VALUES (NEW.dataset_id, NEW.byte_count)
        ON CONFLICT (dataset_id) DO UPDATE SET byte_count = usage.byte_count + excluded.byte_count;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER usage_of_changed_files AFTER UPDATE OF byte_count ON files BEGIN
    UPDATE usage SET byte_count = byte_count - OLD.byte_count + NEW.byte_count WHERE dataset_id = NEW.dataset_id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER usage_of_removed_files AFTER DELETE ON files BEGIN
    UPDATE usage SET byte_count = byte_count - OLD.byte_count WHERE dataset_id = OLD.dataset_id;
END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER usage_of_removed_files;
DROP TRIGGER usage_of_changed_files;
DROP TRIGGER usage_of_new_files;
DROP TABLE usage;
