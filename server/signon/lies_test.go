package signon

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rowback/rowback/server/access"
)

// liar is an identity provider that says what a test has it say.
type liar struct {
	*testing.T
	*httptest.Server
	key, strangers *rsa.PrivateKey
	asked          atomic.Int64 // requests for what it says of itself

	discovery map[string]any                   // in place of what an honest one says of itself
	claims    map[string]any                   // in place of those of an honest token; nil: left out
	sign      func(head, claims []byte) string // nil: as an honest one
	header    map[string]any
	userinfo  map[string]any
	token     http.HandlerFunc // nil: an answer with the token
	nonce     string           // of the login
}

var keys = sync.OnceValue(func() (both [2]*rsa.PrivateKey) {
	for i := range both {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		both[i] = key
	}
	return both
})

func newLiar(t *testing.T) *liar {
	t.Helper()
	l := &liar{T: t, key: keys()[0], strangers: keys()[1]}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		l.asked.Add(1)
		said := map[string]any{
			"issuer": l.URL, "authorization_endpoint": l.URL + "/auth", "token_endpoint": l.URL + "/token",
			"jwks_uri": l.URL + "/keys", "userinfo_endpoint": l.URL + "/userinfo",
			"id_token_signing_alg_values_supported": []string{"RS256"},
		}
		maps.Copy(said, l.discovery)
		l.answer(w, said)
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		e := binary.BigEndian.AppendUint32(nil, uint32(l.key.E))
		l.answer(w, map[string]any{"keys": []any{map[string]any{
			"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1", "n": encoded(l.key.N.Bytes()),
			"e": encoded(new(big.Int).SetBytes(e).Bytes()),
		}}})
	})
	mux.HandleFunc("/userinfo", func(w http.ResponseWriter, _ *http.Request) { l.answer(w, l.userinfo) })
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		if l.token != nil {
			l.token(w, r)
			return
		}
		l.answer(w, map[string]any{"access_token": "opaque", "token_type": "Bearer", "id_token": l.idToken(time.Now())})
	})
	l.Server = httptest.NewServer(mux)
	t.Cleanup(l.Close)
	return l
}

func (l *liar) answer(w http.ResponseWriter, said any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(said); err != nil {
		l.Error(err)
	}
}

func encoded(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// idToken returns a token as the liar signs it.
func (l *liar) idToken(now time.Time) string {
	head := map[string]any{"alg": "RS256", "kid": "1", "typ": "JWT"}
	claims := map[string]any{
		"iss": l.URL, "aud": "rowback", "sub": "7", "nonce": l.nonce, "email": "ada@example.com", "email_verified": true,
		"groups": []string{"team"}, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}
	maps.Copy(head, l.header)
	maps.Copy(claims, l.claims)
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	text := make([][]byte, 2)
	for i, part := range []map[string]any{head, claims} {
		plain, err := json.Marshal(part)
		if err != nil {
			panic(err)
		}
		text[i] = []byte(encoded(plain))
	}
	sign := l.sign
	if sign == nil {
		sign = signedBy(l.key)
	}
	return string(text[0]) + "." + string(text[1]) + "." + sign(text[0], text[1])
}

// signedBy signs with a key as RS256 does.
func signedBy(key *rsa.PrivateKey) func(head, claims []byte) string {
	return func(head, claims []byte) string {
		sum := sha256.Sum256([]byte(string(head) + "." + string(claims)))
		signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		if err != nil {
			panic(err)
		}
		return encoded(signature)
	}
}

// provider returns the liar as this server knows it.
func (l *liar) provider(change ...func(*Options)) *Provider {
	l.Helper()
	o := Options{
		Issuer: l.URL, ClientID: "rowback", ClientSecret: "secret", UserClaim: "email", GroupsClaim: "groups",
		Grants: []GroupRole{{Group: "team", Role: access.Reader, Project: "*"}},
	}
	for _, one := range change {
		one(&o)
	}
	p, err := New(o)
	if err != nil {
		l.Fatal(err)
	}
	return p
}

// login logs in with the liar, and returns whom it vouches for.
func (l *liar) login(p *Provider) (access.Identity, error) {
	const back = "http://127.0.0.1/api/v1/login/callback"
	at, kept, err := p.Begin(l.Context(), back, "/")
	if err != nil {
		return access.Identity{}, err
	}
	u, err := url.Parse(at)
	if err != nil {
		l.Fatal(err)
	}
	l.nonce = u.Query().Get("nonce")
	who, _, err := p.Complete(l.Context(), Answer{Code: "c", State: u.Query().Get("state")}, kept, back)
	return who, err
}

// why returns what a refusal tells the client.
func why(err error) (text string, isUnavailable bool) {
	var refused *access.RefusedError
	if !errors.As(err, &refused) {
		return "", false
	}
	return refused.Why, refused.Unavailable
}

// Whatever a provider lies about, no one is let in by it, and the client is told what is wrong.
func TestAProviderThatLies(t *testing.T) {
	hour, now := time.Hour, time.Now()
	for lie, c := range map[string]struct {
		claims, header, discovery map[string]any
		sign                      func(head, claims []byte) string
		token                     http.HandlerFunc
		says                      string
		down                      bool
	}{
		"another issuer's token":    {claims: map[string]any{"iss": "https://evil.example"}, says: "another provider"},
		"for another audience":      {claims: map[string]any{"aud": "other"}, says: "another audience"},
		"for no audience":           {claims: map[string]any{"aud": nil}, says: "another audience"},
		"of another login":          {claims: map[string]any{"nonce": "of another"}, says: "of another login"},
		"of no login":               {claims: map[string]any{"nonce": nil}, says: "of another login"},
		"expired":                   {claims: map[string]any{"exp": now.Add(-hour).Unix()}, says: "expired at"},
		"expired beyond the leeway": {claims: map[string]any{"exp": now.Add(-2 * time.Minute).Unix()}, says: "expired at"},
		"without an end":            {claims: map[string]any{"exp": nil}, says: "expired at"},
		"not valid yet":             {claims: map[string]any{"nbf": now.Add(hour).Unix()}, says: "not valid yet"},
		"about no one":              {claims: map[string]any{"sub": nil}, says: "no claim sub"},
		"an address not verified":   {claims: map[string]any{"email_verified": false}, says: "has not verified"},
		"not signed": {header: map[string]any{"alg": "none"}, says: "not signed in a way",
			sign: func(_, _ []byte) string { return "" }},
		"not signed, as it says it may": {header: map[string]any{"alg": "none"}, says: "not signed in a way",
			sign:      func(_, _ []byte) string { return "" },
			discovery: map[string]any{"id_token_signing_alg_values_supported": []string{"none"}}},
		"signed with the shared secret": {header: map[string]any{"alg": "HS256"}, says: "not signed in a way",
			discovery: map[string]any{"id_token_signing_alg_values_supported": []string{"HS256", "RS256"}},
			sign: func(head, claims []byte) string {
				sum := hmac.New(sha256.New, []byte("secret"))
				sum.Write([]byte(string(head) + "." + string(claims)))
				return encoded(sum.Sum(nil))
			}},
		"signed with a key that it does not have": {sign: signedBy(keys()[1]), says: "not signed with a key"},
		"a signature of something else": {says: "not signed with a key",
			sign: func(_, _ []byte) string { return signedBy(keys()[0])([]byte("a"), []byte("b")) }},
		"no token": {says: "sent no id token", token: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Write([]byte(`{"access_token":"a","token_type":"Bearer"}`))
		}},
		"a refusal": {says: "does not accept the login (invalid_grant)", token: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(400)
			w.Write([]byte(`{"error":"invalid_grant","error_description":"<script>"}`))
		}},
		"broken": {says: "can't be reached", down: true, token: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
		}},
		"an answer without end": {says: "can't be reached", down: true, token: func(w http.ResponseWriter, r *http.Request) {
			part := []byte(strings.Repeat(" ", 1<<16))
			for r.Context().Err() == nil {
				if _, err := w.Write(part); err != nil {
					return
				}
			}
		}},
		"that it is another": {says: "is another issuer", down: true,
			discovery: map[string]any{"issuer": "https://evil.example"}},
		"keys where there are none": {says: "can't be reached", down: true,
			discovery: map[string]any{"jwks_uri": "http://127.0.0.1:1/keys"}},
	} {
		t.Run(lie, func(t *testing.T) {
			l := newLiar(t)
			l.claims, l.header, l.discovery, l.sign, l.token = c.claims, c.header, c.discovery, c.sign, c.token
			who, err := l.login(l.provider())
			text, down := why(err)
			if err == nil || !strings.Contains(text, c.says) || down != c.down || strings.Contains(text, "script") {
				t.Errorf("%+v, %q (%v), down: %v; want %q", who, text, err, down, c.says)
			}
		})
	}
}

// Clocks that differ by less than a minute keep no one out.
func TestAnHonestProvider(t *testing.T) {
	l := newLiar(t)
	now := time.Now()
	for _, claims := range []map[string]any{
		nil, {"exp": now.Add(-30 * time.Second).Unix()}, {"nbf": now.Add(30 * time.Second).Unix()},
		{"iat": now.Add(30 * time.Second).Unix()}, {"aud": []string{"other", "rowback"}},
	} {
		l.claims = claims
		if who, err := l.login(l.provider()); err != nil || who.User != "ada@example.com" || who.Subject != "7" {
			t.Errorf("%v: %+v, %v", claims, who, err)
		}
	}
}

// What a provider says more of someone counts only if it is about them.
func TestMoreAboutSomeoneElse(t *testing.T) {
	l := newLiar(t)
	l.claims = map[string]any{"groups": nil}
	l.userinfo = map[string]any{"sub": "7", "groups": []string{"team"}}
	if who, err := l.login(l.provider()); err != nil || len(who.Groups) != 1 {
		t.Errorf("%+v, %v", who, err)
	}
	l.userinfo["sub"] = "8"
	if who, err := l.login(l.provider()); err == nil || len(who.Groups) != 0 {
		t.Errorf("the groups of another count: %+v, %v", who, err)
	}
}

// A provider that is down, or does not answer, is asked again after a while only, and then used.
func TestAProviderThatIsDown(t *testing.T) {
	l, now := newLiar(t), time.Now()
	var isDown atomic.Bool
	isDown.Store(true)
	answers := l.Config.Handler
	l.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isDown.Load() {
			l.asked.Add(1)
			select {
			case <-r.Context().Done():
			case <-time.After(10 * time.Second):
			}
			return
		}
		answers.ServeHTTP(w, r)
	})
	p := l.provider(func(o *Options) {
		o.Now, o.HTTP = func() time.Time { return now }, &http.Client{Timeout: 100 * time.Millisecond}
	})
	for range 5 {
		if text, down := why(second(l.login(p))); !down || !strings.Contains(text, "can't be reached") {
			t.Errorf("a login while it hangs: %s", text)
		}
		if text, down := why(second(p.Verify(t.Context(), l.idToken(now)))); !down || !strings.Contains(text, "in a moment") {
			t.Errorf("a token while it hangs: %s", text)
		}
	}
	if asked := l.asked.Load(); asked != 1 {
		t.Errorf("it was asked %d times", asked)
	}
	isDown.Store(false)
	p.HTTP.Timeout = 10 * time.Second
	now = now.Add(askAgain)
	if who, err := l.login(p); err != nil || who.User != "ada@example.com" {
		t.Errorf("once it is back: %+v, %v", who, err)
	}
}

// second returns the second of two results.
func second[T any](_ T, err error) error { return err }
