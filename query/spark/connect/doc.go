// Package connect has the messages of Spark Connect that this server sends and reads, and the client of the service.
// All of it is made of connect.proto by go generate, with protoc (of Debian) and google.golang.org/protobuf's and
// grpc's plugins in PATH, of the versions that the generated files name. The names and numbers are those of Apache
// Spark: fixtures/clients/test_engine.py speaks it with an engine.
package connect

//go:generate protoc --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative connect.proto
