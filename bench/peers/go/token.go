package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const issuer = "widget-registry"

var errToken = errors.New("the token is not good")

// claims is what a token says about its bearer.
type claims struct {
	Issuer    string `json:"iss"`
	Subject   string `json:"sub"`
	AccountID int64  `json:"account_id"`
	Role      string `json:"role"`
	Expires   int64  `json:"exp"`
}

// header of a token; the key's id is the registry's for the same secret, so that one token is good for both.
type header struct {
	Algorithm string `json:"alg"`
	Type      string `json:"typ"`
	KeyID     string `json:"kid"`
}

// caller is who asks.
type caller struct {
	account int64
	user    int64
}

func signature(secret []byte, signed string) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(signed))
	return mac.Sum(nil)
}

func sign(secret []byte, body claims) (string, error) {
	var parts [2]string
	for i, part := range []interface{}{header{"HS256", "JWT", "bench"}, body} {
		text, err := json.Marshal(part)
		if err != nil {
			return "", err
		}
		parts[i] = base64.RawURLEncoding.EncodeToString(text)
	}
	signed := parts[0] + "." + parts[1]
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature(secret, signed)), nil
}

func decode(part string, into interface{}) error {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// authenticate checks the request's token: algorithm, signature, issuer, life, and who it is for.
func authenticate(secret []byte, r *http.Request) (caller, error) {
	authorization := r.Header.Get("Authorization")
	token := strings.TrimPrefix(authorization, "Bearer ")
	if token == authorization {
		return caller{}, errToken
	}
	last := strings.LastIndexByte(token, '.')
	if last < 0 {
		return caller{}, errToken
	}
	signed := token[:last]
	head, body, found := strings.Cut(signed, ".")
	given, err := base64.RawURLEncoding.DecodeString(token[last+1:])
	if err != nil || !found || !hmac.Equal(given, signature(secret, signed)) {
		return caller{}, errToken
	}
	var of header
	if err := decode(head, &of); err != nil || of.Algorithm != "HS256" {
		return caller{}, errToken
	}
	var says claims
	if err := decode(body, &says); err != nil {
		return caller{}, errToken
	}
	user, err := strconv.ParseInt(says.Subject, 10, 64)
	if err != nil || says.Issuer != issuer || says.AccountID <= 0 || says.Expires <= time.Now().Unix() {
		return caller{}, errToken
	}
	return caller{account: says.AccountID, user: user}, nil
}
