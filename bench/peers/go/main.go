// Command go answers two reads of the v4 API from the registry's database: what somebody might write who needs no more than these.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

const drainTime = 10 * time.Second

// ready is what the benchmark is told when requests are answered.
type ready struct {
	URL     string            `json:"url"`
	One     string            `json:"one"`
	List    string            `json:"list"`
	Headers map[string]string `json:"headers"`
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("peers/go: ")
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	secret := []byte(os.Getenv("BENCH_TOKEN_SECRET"))
	if len(secret) < 32 {
		return fmt.Errorf("BENCH_TOKEN_SECRET has %d bytes, and needs 32", len(secret))
	}
	account := int64(1)
	if text := os.Getenv("BENCH_ACCOUNT"); text != "" {
		var err error
		if account, err = strconv.ParseInt(text, 10, 64); err != nil {
			return fmt.Errorf("BENCH_ACCOUNT: %w", err)
		}
	}

	store, err := openStore(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	defer store.close()
	code := os.Getenv("BENCH_CODE")
	if code == "" {
		if code, err = store.anyInstalled(ctx, account); err != nil {
			return fmt.Errorf("BENCH_CODE is not given, and no widget is installed in account %d: %w", account, err)
		}
	}
	token, err := sign(secret, claims{
		Issuer: issuer, Subject: "7", AccountID: account, Role: "user", Expires: time.Now().Add(24 * time.Hour).Unix(),
	})
	if err != nil {
		return err
	}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: routes(store, secret), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()

	told := json.NewEncoder(os.Stdout)
	told.SetEscapeHTML(false)
	err = told.Encode(ready{
		URL:     "http://" + listener.Addr().String(),
		One:     widgetsPath + "/" + code,
		List:    widgetsPath + "?limit=50&page=1",
		Headers: map[string]string{"authorization": "Bearer " + token},
	})
	if err != nil {
		return err
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	draining, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	return server.Shutdown(draining)
}
