package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v4"
)

const (
	widgetsPath  = "/api/v4/widgets"
	locale       = "en"
	defaultLimit = 50
	mostLimit    = 250
	mostPage     = 1_000_000
)

type link struct {
	Href string `json:"href"`
}

type selfLink struct {
	Self link `json:"self"`
}

type pageLinks struct {
	Self  link  `json:"self"`
	Next  *link `json:"next,omitempty"`
	Prev  *link `json:"prev,omitempty"`
	First *link `json:"first,omitempty"`
}

type fieldModel struct {
	Key        string `json:"key"`
	Name       string `json:"name"`
	Type       string `json:"type"`
	IsRequired bool   `json:"is_required"`
}

type widgetModel struct {
	ID                int64        `json:"id"`
	Code              string       `json:"code"`
	Version           string       `json:"version"`
	Rating            string       `json:"rating"`
	SettingsTemplate  []fieldModel `json:"settings_template"`
	IsLeadSource      bool         `json:"is_lead_source"`
	IsWorkWithDp      bool         `json:"is_work_with_dp"`
	IsCrmTemplate     bool         `json:"is_crm_template"`
	ClientUUID        *string      `json:"client_uuid"`
	IsActiveInAccount bool         `json:"is_active_in_account"`
	PipelineID        *int64       `json:"pipeline_id"`
	Links             selfLink     `json:"_links"`
}

type pageModel struct {
	Page     int       `json:"_page"`
	Links    pageLinks `json:"_links"`
	Embedded struct {
		Widgets []widgetModel `json:"widgets"`
	} `json:"_embedded"`
}

type problem struct {
	Title  string `json:"title"`
	Type   string `json:"type"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

type api struct {
	store *store
}

func routes(store *store, secret []byte) http.Handler {
	a := api{store: store}
	mux := http.NewServeMux()
	mux.Handle(widgetsPath, guarded(secret, a.list))
	mux.Handle(widgetsPath+"/", guarded(secret, a.show))
	return mux
}

func guarded(secret []byte, handle func(http.ResponseWriter, *http.Request, caller)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
			refuse(w, http.StatusMethodNotAllowed, "Only GET is allowed here")
			return
		}
		who, err := authenticate(secret, r)
		if err != nil {
			refuse(w, http.StatusUnauthorized, "Invalid user name or password")
			return
		}
		handle(w, r, who)
	})
}

func (a api) show(w http.ResponseWriter, r *http.Request, who caller) {
	code := strings.TrimPrefix(r.URL.Path, widgetsPath+"/")
	found, err := a.store.widget(r.Context(), who, code)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		refuse(w, http.StatusNotFound, "There is no such widget")
	case err != nil:
		fail(w, r, err)
	default:
		answer(w, http.StatusOK, "application/hal+json", model(found, address(r)))
	}
}

func (a api) list(w http.ResponseWriter, r *http.Request, who caller) {
	query := r.URL.Query()
	page, err := positive(query, "page", 1)
	if err != nil || page > mostPage {
		refuse(w, http.StatusBadRequest, "`page` is not a number from 1 to 1000000")
		return
	}
	limit, err := positive(query, "limit", defaultLimit)
	if err != nil {
		refuse(w, http.StatusBadRequest, "`limit` is not a positive number")
		return
	}
	if limit > mostLimit {
		limit = mostLimit
	}
	// One more than the page has, to know whether there is another page.
	rows, err := a.store.widgets(r.Context(), who, limit+1, (page-1)*limit)
	if err != nil {
		fail(w, r, err)
		return
	}
	hasNext := len(rows) > limit && page < mostPage
	if len(rows) > limit {
		rows = rows[:limit]
	}
	base := address(r)
	shown := pageModel{Page: page, Links: linksOf(base, page, limit, hasNext)}
	shown.Embedded.Widgets = make([]widgetModel, len(rows))
	for i, one := range rows {
		shown.Embedded.Widgets[i] = model(one, base)
	}
	answer(w, http.StatusOK, "application/hal+json", shown)
}

func address(r *http.Request) string { return "http://" + r.Host + widgetsPath }

func linksOf(base string, page, limit int, hasNext bool) pageLinks {
	to := func(page int) link { return link{fmt.Sprintf("%s?limit=%d&page=%d", base, limit, page)} }
	links := pageLinks{Self: to(page)}
	if hasNext {
		next := to(page + 1)
		links.Next = &next
	}
	if page > 1 {
		prev, first := to(page-1), to(1)
		links.Prev, links.First = &prev, &first
	}
	return links
}

func model(from row, base string) widgetModel {
	fields := make([]fieldModel, len(from.template))
	for i, field := range from.template {
		fields[i] = fieldModel{field.Key, text(field.Name.Texts, field.Name.Fallback), field.Type, field.IsRequired}
	}
	return widgetModel{
		ID: from.id, Code: from.code, Version: from.version, Rating: rating(from.ratingTenths), SettingsTemplate: fields,
		IsLeadSource: from.isLeadSource, IsWorkWithDp: from.isWorkWithDp, IsCrmTemplate: from.isCrmTemplate,
		ClientUUID: from.clientUUID, IsActiveInAccount: from.isInstalled, PipelineID: from.pipelineID,
		Links: selfLink{link{base + "/" + from.code}},
	}
}

// text in the one language, else in the first that there is, else the fallback.
func text(texts [][2]string, fallback string) string {
	for _, pair := range texts {
		if strings.EqualFold(pair[0], locale) {
			return pair[1]
		}
	}
	if len(texts) > 0 {
		return texts[0][1]
	}
	return fallback
}

// rating with a decimal comma; "0" while nobody has voted.
func rating(tenths int16) string {
	if tenths == 0 {
		return "0"
	}
	return strconv.Itoa(int(tenths)/10) + "," + strconv.Itoa(int(tenths)%10)
}

func positive(query url.Values, name string, otherwise int) (int, error) {
	given := query[name]
	if len(given) == 0 {
		return otherwise, nil
	}
	number, err := strconv.Atoi(given[0])
	if err == nil && (number < 1 || len(given) > 1) {
		err = strconv.ErrRange
	}
	return number, err
}

func answer(w http.ResponseWriter, status int, mediaType string, body interface{}) {
	var written bytes.Buffer
	encoder := json.NewEncoder(&written)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil {
		log.Print(err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	text := bytes.TrimSuffix(written.Bytes(), []byte("\n"))
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// Whoever has gone needs no answer.
	_, _ = w.Write(text)
}

func refuse(w http.ResponseWriter, status int, detail string) {
	kind := "https://httpstatus.es/" + strconv.Itoa(status)
	answer(w, status, "application/problem+json", problem{http.StatusText(status), kind, status, detail})
}

func fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		// The client has gone.
		return
	}
	log.Print(err)
	refuse(w, http.StatusInternalServerError, "The request could not be answered")
}
