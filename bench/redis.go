package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// redisStore keeps orders in a list: what is cheapest for Redis. One sync covers
// all that its loop has read at once.
type redisStore struct {
	*daemon
	addr, said string
}

func startRedis(dir string, delay time.Duration) (store, error) {
	program, err := installed("redis-server", "redis-server")
	if err != nil {
		return nil, err
	}
	place, err := newPlace(dir, delay)
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	said, err := exec.Command(program, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("redis-server --version: %w", err)
	}
	d, err := place.daemon(program, "--bind", "127.0.0.1", "--port", port, "--dir", dir, "--daemonize", "no",
		"--appendonly", "yes", "--appendfsync", "always", "--save", "", "--auto-aof-rewrite-percentage", "0")
	if err != nil {
		return nil, err
	}
	s := &redisStore{d, "127.0.0.1:" + port, string(said)}
	if err := eventually(d.ended, func(context.Context) error {
		c, err := s.dial()
		if err == nil {
			c.close()
		}
		return err
	}); err != nil {
		return nil, d.failed(fmt.Errorf("redis-server: %w", err))
	}
	return s, nil
}

// version is in "Redis server v=7.0.15 sha=...".
func (s *redisStore) version() string {
	_, v, _ := strings.Cut(s.said, "v=")
	v, _, _ = strings.Cut(v, " ")
	return v
}

func (s *redisStore) dial() (client, error) {
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		return nil, err
	}
	return &redisClient{conn: c, r: bufio.NewReader(c)}, nil
}

type redisClient struct {
	conn net.Conn
	r    *bufio.Reader
	buf  bytes.Buffer
}

func (c *redisClient) close() { _ = c.conn.Close() }

func (c *redisClient) keep(_ string, body []byte) error {
	c.buf.Reset()
	c.buf.WriteString("*3\r\n$5\r\nRPUSH\r\n$4\r\nheld\r\n$")
	c.buf.WriteString(strconv.Itoa(len(body)))
	c.buf.WriteString("\r\n")
	c.buf.Write(body)
	c.buf.WriteString("\r\n")
	if err := c.conn.SetDeadline(time.Now().Add(patient)); err != nil {
		return err
	}
	if _, err := c.conn.Write(c.buf.Bytes()); err != nil {
		return err
	}
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if line[0] != ':' { // the list's new length
		return fmt.Errorf("redis-server answered %q", line)
	}
	return nil
}
