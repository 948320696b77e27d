package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// rabbitMQ keeps orders in a quorum queue of one node.
type rabbitMQ struct {
	epmd, server *daemon // Erlang's own directory of nodes, and the broker
	url, said    string
}

func startRabbitMQ(dir string, delay time.Duration) (store, error) {
	// Debian's command in the PATH insists on the package's own user and folders.
	program, err := installed("/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server")
	if err != nil {
		return nil, err
	}
	directory, err := installed("epmd", "rabbitmq-server")
	if err != nil {
		return nil, err
	}
	place, err := newPlace(dir, delay)
	if err != nil {
		return nil, err
	}
	plugins, err := place.write("plugins", "[].\n")
	if err != nil {
		return nil, err
	}
	settings, err := place.write("empty.conf", "")
	if err != nil {
		return nil, err
	}
	var ports [3]string
	for i := range ports {
		if ports[i], err = freePort(); err != nil {
			return nil, err
		}
	}
	place.env = append(place.env,
		"RUNNING_UNDER_SYSTEMD=1", // the script becomes the server instead of watching over it
		"RABBITMQ_NODENAME=bench@localhost", "RABBITMQ_NODE_IP_ADDRESS=127.0.0.1", "RABBITMQ_NODE_PORT="+ports[0], "RABBITMQ_DIST_PORT="+ports[1],
		"ERL_EPMD_PORT="+ports[2], "ERL_EPMD_ADDRESS=127.0.0.1",
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}",
		"RABBITMQ_MNESIA_BASE="+filepath.Join(dir, "data"), "RABBITMQ_LOG_BASE="+dir, "RABBITMQ_PID_FILE="+filepath.Join(dir, "pid"),
		"RABBITMQ_ENABLED_PLUGINS_FILE="+plugins, "RABBITMQ_CONFIG_FILE="+settings, "RABBITMQ_CONF_ENV_FILE="+settings)
	s := &rabbitMQ{url: "amqp://guest:guest@127.0.0.1:" + ports[0] + "/"}
	if s.epmd, err = place.daemon(directory, "-port", ports[2], "-address", "127.0.0.1"); err != nil {
		return nil, err
	}
	if s.server, err = place.daemon(program); err != nil {
		s.epmd.stop()
		return nil, err
	}
	if err := eventually(s.server.ended, s.declare); err != nil {
		s.epmd.stop()
		return nil, s.server.failed(fmt.Errorf("rabbitmq-server: %w", err))
	}
	return s, nil
}

func (s *rabbitMQ) stop() {
	s.server.stop()
	s.epmd.stop()
}

func (s *rabbitMQ) declare(context.Context) error {
	c, err := s.connect()
	if err != nil {
		return err
	}
	defer c.close()
	s.said = fmt.Sprint(c.conn.Properties["version"])
	_, err = c.channel.QueueDeclare("held", true, false, false, false, amqp.Table{"x-queue-type": "quorum"})
	return err
}

func (s *rabbitMQ) connect() (*rabbitClient, error) {
	conn, err := amqp.Dial(s.url)
	if err != nil {
		return nil, err
	}
	ch, err := conn.Channel()
	if err == nil {
		err = ch.Confirm(false)
	}
	if err != nil {
		_ = conn.Close() // the first error tells more
		return nil, err
	}
	return &rabbitClient{conn, ch}, nil
}

func (s *rabbitMQ) version() string { return s.said }

func (s *rabbitMQ) dial() (client, error) { return s.connect() }

type rabbitClient struct {
	conn    *amqp.Connection
	channel *amqp.Channel
}

func (c *rabbitClient) close() { _ = c.conn.Close() }

func (c *rabbitClient) keep(_ string, body []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	sent, err := c.channel.PublishWithDeferredConfirm("", "held", true, false, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: body})
	if err != nil {
		return err
	}
	kept, err := sent.WaitContext(ctx)
	if err == nil && !kept {
		err = errors.New("rabbitmq-server refused a message")
	}
	return err
}
