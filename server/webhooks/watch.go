package webhooks

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rowback/rowback/storage"
)

// Finding is something noteworthy that the monitor has found about a dataset.
type Finding struct {
	Project       int64
	Dataset, Name string
	Kind          string // unversioned, rapid_change or gap
	Detail        string
}

// alert is something that is wrong at the moment. It is an event when it begins, for each webhook, and again only if it
// was over in between.
type alert struct {
	name string // by which it is known again
	Event
}

// Prefixes of the names of alerts, which say who looks for them.
const (
	damageAlert  = "damage "
	diskAlert    = "disk"
	findingAlert = "finding "
)

// watch looks for what is wrong, again and again, until ctx ends.
func (h *Hooks) watch(ctx context.Context) {
	var asked time.Time // when the monitor was
	h.every(ctx, h.Watch, func() error {
		all, err := enabledHooks(h.DB)
		if err != nil || len(all) == 0 {
			return err
		}
		looked, found := []string{}, h.damage(ctx)
		if h.Store.Scrubs.State().Whole { // else what is damaged is not all known here
			looked = append(looked, damageAlert)
		}
		if low, known := h.diskLow(); known {
			looked, found = append(looked, h.diskAlert()), append(found, low...)
		}
		if now := h.now(); h.onDuty.Load() && h.asksMonitor(all) && now.Sub(asked) >= h.Monitor {
			findings, err := h.findings(ctx)
			if err != nil {
				return fmt.Errorf("asking the monitor: %w", err)
			}
			asked, looked, found = now, append(looked, findingAlert), append(found, findings...)
		}
		return h.raise(ctx, looked, found)
	})
}

// asksMonitor reports whether a webhook wants what the monitor finds: it looks at all datasets.
func (h *Hooks) asksMonitor(all []Hook) bool {
	return h.Findings != nil && slices.ContainsFunc(all, func(to Hook) bool {
		return len(to.Kinds) == 0 || slices.Contains(to.Kinds, MonitorFinding)
	})
}

// raise queues the alerts that are new to a webhook, and forgets those that are over, of the kinds that were looked
// for.
func (h *Hooks) raise(ctx context.Context, looked []string, found []alert) error {
	known, err := h.alerts()
	if err != nil {
		return err
	}
	all, err := enabledHooks(h.DB)
	if err != nil {
		return err
	}
	fresh, over := compared(known, all, looked, found)
	if len(fresh) == 0 && len(over) == 0 {
		return nil
	}
	defer h.wake()
	return h.DB.Write(ctx, func(tx *sql.Tx) error {
		for _, a := range over {
			if _, err := tx.Exec(`DELETE FROM webhook_alerts WHERE webhook_id = ?1 AND name = ?2`, a.hook, a.name); err != nil {
				return err
			}
		}
		for _, a := range fresh {
			to, err := hook(tx, a.hook)
			if err != nil {
				continue // it was deleted meanwhile
			}
			raised, err := tx.Exec(`INSERT INTO webhook_alerts (webhook_id, name) VALUES (?1, ?2)
				ON CONFLICT (webhook_id, name) DO NOTHING`, a.hook, a.name)
			if err != nil {
				return err
			}
			if n, err := raised.RowsAffected(); err != nil || n == 0 { // another server has found it as well
				if err != nil {
					return err
				}
				continue
			}
			if err := h.enqueueAll(tx, []Hook{to}, []Event{a.event}); err != nil {
				return err
			}
		}
		return nil
	})
}

// raised is an alert that a webhook was told of, or is to be.
type raised struct {
	hook, name string
}

// telling is an alert that a webhook is to be told of.
type telling struct {
	raised
	event Event
}

// alerts returns what webhooks were told of and is not over.
func (h *Hooks) alerts() (map[raised]bool, error) {
	out := map[raised]bool{}
	_, err := list(h.DB, func(s scanner) (r raised, err error) {
		err = s.Scan(&r.hook, &r.name)
		out[r] = true
		return r, err
	}, `SELECT webhook_id, name FROM webhook_alerts`)
	return out, err
}

// compared returns which alerts are new to a webhook, and which are over.
func compared(known map[raised]bool, all []Hook, looked []string, found []alert) (fresh []telling, over []raised) {
	now := map[string]bool{}
	for _, a := range found {
		now[a.name] = true
		for _, to := range all {
			if r := (raised{to.ID, a.name}); to.wants(a.Event) && !known[r] {
				fresh = append(fresh, telling{r, a.Event})
				known[r] = true // it may have been found twice
			}
		}
	}
	for r := range known {
		for _, prefix := range looked {
			if strings.HasPrefix(r.name, prefix) && !now[r.name] {
				over = append(over, r)
			}
		}
	}
	return fresh, over
}

// newAlert returns an alert about a dataset, or with an empty one about the server.
func (h *Hooks) newAlert(name string, kind Kind, project int64, dataset string, data map[string]any) alert {
	return alert{name, Event{
		ID: newID("msg_"), Kind: kind, Project: project, Dataset: dataset, Time: h.now(), Data: data,
	}}
}

// damage returns the stored files that are known to be damaged.
func (h *Hooks) damage(ctx context.Context) (out []alert) {
	for _, d := range h.Store.Damaged() {
		data := map[string]any{"dataset_id": d.DatasetID, "commit_id": d.Commit, "file_kind": d.Kind, "detail": d.Detail}
		var project int64
		if of, err := h.Store.AnyDataset(ctx, d.DatasetID); err == nil {
			project = of.ProjectID
			data["project_id"], data["dataset_name"] = of.ProjectID, of.Name
		}
		name := fmt.Sprint(damageAlert, d.DatasetID, " ", d.Commit, " ", d.Kind)
		out = append(out, h.newAlert(name, DamageFound, project, d.DatasetID, data))
	}
	return out
}

// diskAlert is the name of the alert of this server's disk.
func (h *Hooks) diskAlert() string {
	if h.Server == "" {
		return diskAlert
	}
	return diskAlert + " of " + h.Server
}

// diskLow returns whether the disk is about to be too full for writes; known is false in between, where it is neither
// so full that this is said nor so empty that it is over.
func (h *Hooks) diskLow() (low []alert, known bool) {
	free, least := h.Store.Disk.Free(), h.Store.Disk.Least()
	at := 2 * least
	if least == 0 {
		at = storage.DefaultMinFree(".")
	}
	if free < 0 || free >= at && free < at+at/4 {
		return nil, false
	}
	if free >= at {
		return nil, true
	}
	return []alert{h.newAlert(h.diskAlert(), DiskLow, 0, "", map[string]any{
		"free_bytes": free, "min_free_bytes": least, "writes_refused": free < least,
	})}, true
}

// findings returns what the monitor has found.
func (h *Hooks) findings(ctx context.Context) (out []alert, err error) {
	all, err := h.Findings(ctx)
	for _, f := range all {
		out = append(out, h.newAlert(findingAlert+f.Kind+" "+f.Dataset, MonitorFinding, f.Project, f.Dataset, map[string]any{
			"project_id": f.Project, "dataset_id": f.Dataset, "dataset_name": f.Name, "finding": f.Kind, "detail": f.Detail,
		}))
	}
	return out, err
}
