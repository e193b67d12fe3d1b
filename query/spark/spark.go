// Package spark runs queries on an engine that speaks Spark Connect: Apache Spark, or Sail. Each statement has a session
// of its own there, which ends with it; the tables that it may name come with it, as addresses of Iceberg tables, so
// that nothing is created on the engine. Results come in Arrow batches, one at a time: a client that reads slowly slows
// the engine down. The package knows no store. Its tests run against an engine that is made up, which fails in every
// way; fixtures/clients/test_engine.py runs against Sail, and against Spark where that is there.
package spark

import (
	"context"
	"crypto/tls"
	"errors"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/rowback/rowback/query/spark/connect"
)

// maxMessage is the largest message of an engine, in bytes: Spark's batches have 4 MB by default, and its own clients
// take this much.
const maxMessage = 128 << 20

// clientType is what the engine's log says of who asks.
const clientType = "rowback"

// goodbye is how long the end of a session may take, which no client waits for.
const goodbye = 10 * time.Second

// connectTimeout is how long one attempt to connect may take.
const connectTimeout = 20 * time.Second

// again is when an engine that was lost is tried again. Without it, one that has been away for a while is refused for up
// to two minutes after it has come back, as statements do not wait for the next attempt.
var again = backoff.Config{BaseDelay: 500 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 5 * time.Second}

// Engine is a server that speaks Spark Connect. It is connected to when it is first needed, and again after it was lost.
type Engine struct {
	conn   *grpc.ClientConn
	client connect.SparkConnectServiceClient
	user   string

	statements, failures atomic.Int64
}

// New returns the engine at an address.
func New(a Address) (*Engine, error) {
	how := insecure.NewCredentials()
	if a.TLS {
		how = credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12})
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(how),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
		grpc.WithUserAgent(clientType),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: again, MinConnectTimeout: connectTimeout}),
	}
	if a.token != "" {
		options = append(options, grpc.WithPerRPCCredentials(bearer(a.token)))
	}
	// Resolved by the dialer: a proxy of the environment is for the web.
	conn, err := grpc.NewClient("passthrough:///"+a.Host, append(options, grpc.WithNoProxy())...)
	if err != nil {
		return nil, err
	}
	return &Engine{conn: conn, client: connect.NewSparkConnectServiceClient(conn), user: a.user}, nil
}

// bearer is a token, which is sent with TLS only.
type bearer string

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (b bearer) RequireTransportSecurity() bool { return true }

// Connect starts to connect, so that Reachable can tell.
func (e *Engine) Connect() { e.conn.Connect() }

// Reachable reports whether the last attempt to connect did not fail. It asks nothing of the engine.
func (e *Engine) Reachable() bool {
	state := e.conn.GetState()
	if state == connectivity.Idle {
		e.conn.Connect()
	}
	return state != connectivity.TransientFailure
}

// Close ends the connection, and all statements with it.
func (e *Engine) Close() error { return e.conn.Close() }

// Statements returns how many statements were sent to the engine, and how many of them failed or were ended.
func (e *Engine) Statements() (sent, failed int64) { return e.statements.Load(), e.failures.Load() }

// Version returns the version of Spark that the engine says it has. It is a question that costs the engine nothing.
func (e *Engine) Version(ctx context.Context) (string, error) {
	s := e.session()
	defer s.release()
	out, err := e.client.AnalyzePlan(ctx, &connect.AnalyzePlanRequest{
		SessionId: s.id, UserContext: s.user, ClientType: &s.client,
		Analyze: &connect.AnalyzePlanRequest_SparkVersion_{SparkVersion: &connect.AnalyzePlanRequest_SparkVersion{}},
	})
	if err != nil {
		return "", explain(ctx, err)
	}
	return out.GetSparkVersion().GetVersion(), nil
}

// session is one statement's session on the engine.
type session struct {
	engine *Engine
	id     string
	user   *connect.UserContext
	client string
}

func (e *Engine) session() *session {
	return &session{e, uuid.NewString(), &connect.UserContext{UserId: e.user, UserName: e.user}, clientType}
}

// settings are those of a session. Times are in UTC, as the server's own are; texts that name files are no tables; and
// Iceberg tables are found by their addresses, for which there is no Hive.
var settings = [][2]string{
	{"spark.sql.session.timeZone", "UTC"},
	{"spark.sql.runSQLOnFiles", "false"},
	{"spark.sql.catalog.default_iceberg", "org.apache.iceberg.spark.SparkCatalog"},
	{"spark.sql.catalog.default_iceberg.type", "hadoop"},
	{"spark.sql.catalog.default_iceberg.warehouse", "file:///nowhere"},
	{"spark.sql.catalog.default_iceberg.cache-enabled", "false"},
}

// set sends the settings.
func (s *session) set(ctx context.Context) error {
	var pairs []*connect.KeyValue
	for _, pair := range settings {
		pairs = append(pairs, &connect.KeyValue{Key: pair[0], Value: &pair[1]})
	}
	_, err := s.engine.client.Config(ctx, &connect.ConfigRequest{
		SessionId: s.id, UserContext: s.user, ClientType: &s.client,
		Operation: &connect.ConfigRequest_Operation{
			OpType: &connect.ConfigRequest_Operation_Set{Set: &connect.ConfigRequest_Set{Pairs: pairs}},
		},
	})
	return err
}

// interrupt ends what the session runs.
func (s *session) interrupt() {
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	_, _ = s.engine.client.Interrupt(ctx, &connect.InterruptRequest{
		SessionId: s.id, UserContext: s.user, ClientType: &s.client,
		InterruptType: connect.InterruptRequest_INTERRUPT_TYPE_ALL,
	}) // the session is released in any case
}

// release ends the session. An engine that does not know how ends it when nothing has come of it for a while.
func (s *session) release() {
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	_, _ = s.engine.client.ReleaseSession(ctx,
		&connect.ReleaseSessionRequest{SessionId: s.id, UserContext: s.user, ClientType: &s.client})
}

// errEnded is why a statement ends that is closed before its end.
var errEnded = errors.New("the statement was ended")
