package protection

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"sluice/hadoop/sasl"
)

// The IMAP example of RFC 2831, section 4.
func TestDigestIsTheRFCs(t *testing.T) {
	d := &digest{user: "chris", password: "secret", service: "imap/elwood.innosoft.com", cnonce: "OA6MHXh6VqTrRk"}
	response, err := d.answer(`realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8`, nil)
	if err != nil {
		t.Fatal(err)
	}
	const want = `charset=utf-8,username="chris",realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",nc=00000001,cnonce="OA6MHXh6VqTrRk",` +
		`digest-uri="imap/elwood.innosoft.com",response=d388dad90d4bbd760a152321f2143af7,qop=auth`
	if response != want {
		t.Errorf("the response is\n%s, want\n%s", response, want)
	}
	if err := d.verify("rspauth=ea40f60335c427b5527b84dbabcdfffd"); err != nil {
		t.Error(err)
	}
	for _, proof := range []string{"rspauth=ea40f60335c427b5527b84dbabcdfffe", "rspauth=", "", "x=y"} {
		if err := d.verify(proof); err == nil {
			t.Errorf("%q is taken for a proof", proof)
		}
	}
}

func TestDirectives(t *testing.T) {
	got, err := directives(`realm="a \"b\", \\c",, nonce=n , QOP="auth-conf,auth", empty="", last=`)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"realm": `a "b", \c`, "nonce": "n", "qop": "auth-conf,auth", "empty": "", "last": ""} {
		if value, ok := got[name]; !ok || value != want {
			t.Errorf("%s is %q, want %q", name, value, want)
		}
	}
	for _, bad := range []string{"realm", strings.Repeat("no directive", 1000), many(maxDirectives + 1)} {
		if _, err := directives(bad); err == nil {
			t.Errorf("%.20q is a challenge", bad)
		}
	}
}

// many returns that many directives.
func many(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "name%d=value,", i)
	}
	return b.String()
}

func TestTheFirstAcceptedProtectionThatIsOfferedIsChosen(t *testing.T) {
	const all = `qop="auth,auth-int,auth-conf",cipher="3des,rc4"`
	for _, c := range []struct {
		challenge string
		accept    []sasl.Protection
		want      sasl.Protection
	}{
		{all, nil, sasl.Privacy},
		{all, []sasl.Protection{sasl.Integrity, sasl.Privacy}, sasl.Integrity},
		{all, []sasl.Protection{sasl.Authentication}, sasl.Authentication},
		{`realm="0"`, nil, sasl.Authentication},
		{`qop="auth"`, []sasl.Protection{sasl.Privacy}, ""},
		{`qop="auth-conf",cipher="rc4"`, []sasl.Protection{sasl.Authentication, sasl.Integrity}, ""},
		{`qop="auth-conf",cipher="3des,des"`, nil, ""},
		{`qop="something"`, nil, ""},
	} {
		d := newDigest("u", "p", digestService)
		_, err := d.answer(c.challenge, c.accept)
		if c.want == "" {
			if !errors.Is(err, sasl.ErrProtection) || !errors.Is(err, ErrSettings) {
				t.Errorf("%s, %v: %v, want %v", c.challenge, c.accept, err, sasl.ErrProtection)
			}
			continue
		}
		if err != nil || d.agreed != c.want {
			t.Errorf("%s, %v: %q, %v; want %q", c.challenge, c.accept, d.agreed, err, c.want)
		}
	}
}
