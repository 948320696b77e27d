package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// serveJetStream is a NATS server, in a process of its own.
func serveJetStream(dir string) error {
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true,
		JetStream: true, StoreDir: dir, SyncAlways: true,
	})
	if err != nil {
		return err
	}
	s.Start()
	if !s.ReadyForConnections(time.Minute) {
		return errors.New("the NATS server does not get ready")
	}
	fmt.Println(s.Addr())
	_, err = io.Copy(io.Discard, os.Stdin) // the parent's end is ours
	return err
}

type jetStream struct{ *child }

func startJetStream(dir string, delay time.Duration) (store, error) {
	if delay > 0 {
		return nil, errUndelayed
	}
	c, err := start("jetstream", dir, 0)
	if err != nil {
		return nil, err
	}
	s := jetStream{c}
	if err := s.declare(); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s jetStream) declare() error {
	c, err := s.connect()
	if err != nil {
		return err
	}
	defer c.close()
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	_, err = c.js.CreateStream(ctx, jetstream.StreamConfig{Name: "held", Subjects: []string{"held"}, Storage: jetstream.FileStorage, Replicas: 1})
	return err
}

func (s jetStream) connect() (jetClient, error) {
	conn, err := nats.Connect("nats://" + s.addr)
	if err != nil {
		return jetClient{}, err
	}
	js, err := jetstream.New(conn, jetstream.WithDefaultTimeout(patient))
	return jetClient{conn, js}, err
}

func (s jetStream) version() string { return server.VERSION }

func (s jetStream) dial() (client, error) { return s.connect() }

type jetClient struct {
	conn *nats.Conn
	js   jetstream.JetStream
}

func (c jetClient) close() { c.conn.Close() }

func (c jetClient) keep(_ string, body []byte) error {
	_, err := c.js.Publish(context.Background(), "held", body)
	return err
}
