package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v4"
	"github.com/jackc/pgx/v4/pgxpool"
)

const connections = 16

// The widget in its current version, with the account's install of it. $1 is the account and $2 the user.
const (
	columns = `SELECT w.id, w.code, w.rating_tenths, w.is_crm_template, w.client_uuid::text, v.version, v.template, v.is_lead_source,
  v.is_work_with_dp, i.account_id IS NOT NULL, i.pipeline_id
FROM widgets w
JOIN widget_versions v ON v.widget_id = w.id AND v.version = w.current_version
LEFT JOIN installs i ON i.account_id = $1 AND i.widget_id = w.id
WHERE (w.visibility = 'public' OR i.account_id IS NOT NULL OR w.owner_account_id = $1 AND w.owner_user_id = $2)`
	oneWidget    = columns + ` AND w.code = $3`
	someWidgets  = columns + ` ORDER BY w.id LIMIT $3 OFFSET $4`
	anyInstalled = `SELECT w.code FROM installs i JOIN widgets w ON w.id = i.widget_id
WHERE i.account_id = $1 AND w.current_version IS NOT NULL ORDER BY w.id LIMIT 1`
)

// row of the catalogue.
type row struct {
	id            int64
	code          string
	ratingTenths  int16
	isCrmTemplate bool
	clientUUID    *string
	version       string
	template      []storedField
	isLeadSource  bool
	isWorkWithDp  bool
	isInstalled   bool
	pipelineID    *int64
}

// storedField is a field of a settings template as the database keeps it.
type storedField struct {
	Key  string `json:"key"`
	Name struct {
		Fallback string      `json:"fallback"`
		Texts    [][2]string `json:"texts"`
	} `json:"name"`
	Type       string `json:"type"`
	IsRequired bool   `json:"is_required"`
}

type store struct {
	pool *pgxpool.Pool
}

func openStore(ctx context.Context, address string) (*store, error) {
	config, err := pgxpool.ParseConfig(socketAsParameter(address))
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	config.MaxConns = connections
	pool, err := pgxpool.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	s := &store{pool: pool}
	if err := s.fill(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// fill opens every connection: one that the database refuses is told before there are requests to answer.
func (s *store) fill(ctx context.Context) error {
	for i := 0; i < connections; i++ {
		connection, err := s.pool.Acquire(ctx)
		if err != nil {
			return fmt.Errorf("%d connections are wanted: %w", connections, err)
		}
		defer connection.Release()
	}
	return nil
}

func (s *store) close() { s.pool.Close() }

// widget that the caller sees; pgx.ErrNoRows when there is none.
func (s *store) widget(ctx context.Context, who caller, code string) (row, error) {
	return scan(s.pool.QueryRow(ctx, oneWidget, who.account, who.user, code))
}

// widgets that the caller sees, in the order of their numbers.
func (s *store) widgets(ctx context.Context, who caller, count, skipped int) ([]row, error) {
	rows, err := s.pool.Query(ctx, someWidgets, who.account, who.user, count, skipped)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := make([]row, 0, count)
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, rows.Err()
}

func (s *store) anyInstalled(ctx context.Context, account int64) (code string, err error) {
	err = s.pool.QueryRow(ctx, anyInstalled, account).Scan(&code)
	return code, err
}

func scan(from pgx.Row) (r row, err error) {
	err = from.Scan(&r.id, &r.code, &r.ratingTenths, &r.isCrmTemplate, &r.clientUUID, &r.version, &r.template, &r.isLeadSource,
		&r.isWorkWithDp, &r.isInstalled, &r.pipelineID)
	return r, err
}

// socketAsParameter rewrites an address whose host is the escaped folder of a socket: net/url does not take such a host.
func socketAsParameter(address string) string {
	scheme, rest, found := strings.Cut(address, "://")
	before, after := "", rest
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		before, after = rest[:at+1], rest[at+1:]
	}
	if !found || !strings.HasPrefix(strings.ToLower(after), "%2f") {
		return address
	}
	host, path, _ := strings.Cut(after, "/")
	host, port, hasPort := strings.Cut(host, ":")
	folder, err := url.PathUnescape(host)
	if err != nil {
		return address
	}
	name, query, hasQuery := strings.Cut(path, "?")
	parameters := "?host=" + url.QueryEscape(folder)
	if hasPort {
		parameters += "&port=" + port
	}
	if hasQuery {
		parameters += "&" + query
	}
	return scheme + "://" + before + "/" + name + parameters
}
