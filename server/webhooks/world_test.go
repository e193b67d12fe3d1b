package webhooks

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rowback/rowback/server/settings"
	"github.com/rowback/rowback/server/settings/settingstest"
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/catalog"
	"github.com/rowback/rowback/storage/intake"
)

func TestMain(m *testing.M) {
	intake.ServeReader()
	os.Exit(m.Run())
}

// world is a store with its webhooks.
type world struct {
	*testing.T
	dir   string
	store *storage.Store
	db    *settings.DB
	hooks *Hooks
	keys  int
	free  atomic.Int64 // bytes of the disk
}

// quick is a schedule for tests: what takes hours takes milliseconds.
var quick = Schedule{
	First: 10 * time.Millisecond, Longest: 50 * time.Millisecond, GiveUp: time.Hour, Disable: time.Hour,
	Timeout: 5 * time.Second, Pause: 20 * time.Millisecond,
}

// newWorld opens a store whose webhooks may send to this machine.
func newWorld(t *testing.T, change ...func(*Options)) *world {
	t.Helper()
	w := &world{T: t, dir: t.TempDir()}
	signal := NewSignal()
	var err error
	w.free.Store(1 << 40)
	w.store, err = storage.Open(t.Context(), w.dir, storage.Options{
		Threads: 1, Changed: signal.Changed, MinFree: 1000, Free: func(string) (int64, error) { return w.free.Load(), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.store.Close() })
	if w.db, err = settingstest.Open(t.Context(), t, w.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.db.Close() })
	here, err := ParseAllowed([]string{"127.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Store: w.store, DB: w.db, Signal: signal, Allowed: here, Schedule: quick, Watch: 20 * time.Millisecond}
	for _, f := range change {
		f(&o)
	}
	w.hooks = New(o)
	return w
}

// run has events queued and messages sent until the returned function is called, or the test ends.
func (w *world) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { w.hooks.Run(ctx); close(done) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	w.Cleanup(stop)
	return stop
}

// hook makes a webhook.
func (w *world) hook(n Hook) Hook {
	w.Helper()
	h, err := w.hooks.Create(w.Context(), n)
	if err != nil {
		w.Fatal(err)
	}
	return h
}

// dataset makes an empty dataset, and returns its id.
func (w *world) dataset(project int64, name string) string {
	w.Helper()
	s, err := w.store.CreateDataset(w.Context(), storage.NewDataset{ProjectID: project, Name: name, Key: []string{"id"}},
		storage.Request{User: "ada"})
	if err != nil {
		w.Fatal(err)
	}
	return s.Dataset.ID
}

// commit appends one record.
func (w *world) commit(dataset string) catalog.Commit {
	w.Helper()
	w.keys++
	text := fmt.Sprintf(`[{"id": %d}]`, w.keys)
	path := filepath.Join(w.TempDir(), "upload")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
	c, err := w.store.Commit(w.Context(), dataset, storage.Change{
		Mode: catalog.Append, Upload: intake.Upload{Format: intake.JSON, Path: path, Size: int64(len(text))},
	})
	if err != nil {
		w.Fatal(err)
	}
	return c
}

// queue returns the messages to a webhook, the oldest first.
func (w *world) queue(hook string) []Delivery {
	w.Helper()
	all, err := list(w.db, scanDelivery, `SELECT `+deliveryColumns+` FROM webhook_deliveries
		WHERE webhook_id = ?1 ORDER BY id`, hook)
	if err != nil {
		w.Fatal(err)
	}
	return all
}

// now returns a webhook as it is.
func (w *world) now(id string) Hook {
	w.Helper()
	h, err := w.hooks.Find(id)
	if err != nil {
		w.Fatal(err)
	}
	return h
}

// eventually waits until a condition is true.
func (w *world) eventually(what string, is func() bool) {
	w.Helper()
	for range 3000 {
		if is() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.Fatalf("%s: not within 30 s", what)
}

// message is what a receiver got.
type message struct {
	ID        string         `json:"-"`
	Timestamp string         `json:"-"` // of the attempt
	Signature string         `json:"-"`
	Text      string         `json:"-"`
	Type      Kind           `json:"type"`
	Time      time.Time      `json:"timestamp"`
	Data      map[string]any `json:"data"`
}

// commit is the id of the commit that a message is about.
func (m message) commit() int64 {
	c, _ := m.Data["commit"].(map[string]any)
	id, _ := c["id"].(float64)
	return int64(id)
}

// receiver is a real HTTP server on loopback.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []message
	answer func(n int, w http.ResponseWriter, r *http.Request) // the n-th message, from 1; nil: 200
}

// receive starts a receiver.
func receive(t *testing.T, answer func(int, http.ResponseWriter, *http.Request)) *receiver {
	return receiveAt(t, "127.0.0.1", answer)
}

// receiveAt starts a receiver at another address of this machine: another host.
func receiveAt(t *testing.T, host string, answer func(int, http.ResponseWriter, *http.Request)) *receiver {
	t.Helper()
	at, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{answer: answer}
	r.Server = &httptest.Server{Listener: at, Config: &http.Server{Handler: r}}
	r.Start()
	t.Cleanup(func() { r.CloseClientConnections(); r.Close() })
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	m := message{
		ID: req.Header.Get("webhook-id"), Timestamp: req.Header.Get("webhook-timestamp"),
		Signature: req.Header.Get("webhook-signature"), Text: string(body),
	}
	if req.Method != http.MethodPost || req.Header.Get("Content-Type") != "application/json" ||
		json.Unmarshal(body, &m) != nil {
		m.Type = "malformed"
	}
	r.mu.Lock()
	r.got = append(r.got, m)
	n := len(r.got)
	r.mu.Unlock()
	if r.answer != nil {
		r.answer(n, w, req)
	}
}

// messages returns what came so far.
func (r *receiver) messages() []message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]message{}, r.got...)
}

// isSigned reports whether a message is signed with a secret, as the specification says it.
func (m message) isSigned(secret string) bool {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || len(key) < 24 {
		return false
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", m.ID, m.Timestamp, m.Text)
	return m.Signature == "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func unmarshal(text string, into any) error { return json.Unmarshal([]byte(text), into) }

// locked calls f while no one else can write to the database.
func (h *Hooks) locked(ctx context.Context, f func()) error {
	return h.DB.Write(ctx, func(*sql.Tx) error { f(); return nil })
}
