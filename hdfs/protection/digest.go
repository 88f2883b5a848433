package protection

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"sluice/hadoop/sasl"
)

// qops are the protections by their names in RFC 2831, strongest first.
var qops = []struct {
	protection sasl.Protection
	name       string
}{{sasl.Privacy, "auth-conf"}, {sasl.Integrity, "auth-int"}, {sasl.Authentication, "auth"}}

// digest is one log-in by DIGEST-MD5 (RFC 2831).
type digest struct {
	user, password, service string // service is the digest-uri: hdfs/0
	cnonce                  string

	realm, nonce, qop string // from the challenge
	agreed            sasl.Protection
}

func newDigest(user, password, service string) *digest {
	return &digest{user: user, password: password, service: service, cnonce: rand.Text()}
}

// maxDirectives bounds a challenge; servers send seven.
const maxDirectives = 64

// directives parses a challenge: NAME=VALUE separated by commas, values quoted or not.
func directives(challenge string) (map[string]string, error) {
	values := map[string]string{}
	for rest := strings.TrimLeft(challenge, " ,"); rest != ""; rest = strings.TrimLeft(rest, " ,") {
		name, after, ok := strings.Cut(rest, "=")
		if !ok || len(values) == maxDirectives {
			return nil, fmt.Errorf("no challenge of DIGEST-MD5: %q", challenge[:min(len(challenge), 80)])
		}
		var value string
		if text, quoted := strings.CutPrefix(after, `"`); quoted {
			value, rest = cutQuoted(text)
		} else {
			value, rest, _ = strings.Cut(after, ",")
		}
		values[strings.ToLower(name)] = strings.TrimSpace(value)
	}
	return values, nil
}

// cutQuoted cuts text at the closing quote, or its end; a backslash escapes a quote.
func cutQuoted(text string) (value, rest string) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '"':
			return b.String(), text[i+1:]
		case text[i] == '\\' && i+1 < len(text):
			i++
		}
		b.WriteByte(text[i])
	}
	return b.String(), ""
}

// answer returns the response to a challenge, with the first protection of accept that is offered;
// without accept, the strongest.
func (d *digest) answer(challenge string, accept []sasl.Protection) (response string, err error) {
	values, err := directives(challenge)
	if err != nil {
		return "", err
	}
	d.realm, d.nonce = values["realm"], values["nonce"]
	offered := strings.Split(values["qop"], ",")
	if values["qop"] == "" {
		offered = []string{"auth"} // RFC 2831, 2.1.1
	}
	if d.agreed, d.qop, err = chooseQOP(offered, accept); err != nil {
		return "", err
	}
	response = fmt.Sprintf(`charset=utf-8,username="%s",realm="%s",nonce="%s",nc=00000001,cnonce="%s",digest-uri="%s",response=%s,qop=%s`,
		quote(d.user), quote(d.realm), quote(d.nonce), d.cnonce, d.service, d.proof("AUTHENTICATE:"), d.qop)
	if d.agreed == sasl.Privacy {
		if !slices.Contains(strings.Split(values["cipher"], ","), "rc4") {
			return "", fmt.Errorf("%w: the data node encrypts with %q; sluice supports rc4 and, if both sides have it, AES: set dfs.encrypt.data.transfer.algorithm to rc4", sasl.ErrProtection, values["cipher"])
		}
		response += ",cipher=rc4"
	}
	return response, nil
}

func quote(s string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) }

func chooseQOP(offered []string, accept []sasl.Protection) (sasl.Protection, string, error) {
	names := map[sasl.Protection]string{}
	var theirs []sasl.Protection
	for _, q := range qops {
		if slices.ContainsFunc(offered, func(o string) bool { return strings.TrimSpace(o) == q.name }) {
			names[q.protection] = q.name
			theirs = append(theirs, q.protection)
		}
	}
	if len(accept) == 0 {
		accept = theirs
	}
	for _, p := range accept {
		if names[p] != "" {
			return p, names[p], nil
		}
	}
	return "", "", fmt.Errorf("%w: the data node's dfs.data.transfer.protection is %q, ours %q: allow one of the data node's", sasl.ErrProtection, theirs, accept)
}

// verify checks the server's proof that it knows the password.
func (d *digest) verify(answer string) error {
	values, err := directives(answer)
	if err != nil {
		return err
	}
	if !hmac.Equal([]byte(values["rspauth"]), []byte(d.proof(":"))) {
		return fmt.Errorf("the data node could not prove that it knows the block's token: it may be another server")
	}
	return nil
}

// session returns H(A1), from which all keys are derived.
func (d *digest) session() []byte {
	who := sum(d.user + ":" + d.realm + ":" + d.password)
	return sum(string(who) + ":" + d.nonce + ":" + d.cnonce)
}

// proof returns the response-value, or the server's, by the beginning of A2.
func (d *digest) proof(begin string) string {
	a2 := begin + d.service
	if d.agreed != sasl.Authentication {
		a2 += ":" + strings.Repeat("0", 32)
	}
	return hex.EncodeToString(sum(strings.Join([]string{
		hex.EncodeToString(d.session()), d.nonce, "00000001", d.cnonce, d.qop, hex.EncodeToString(sum(a2)),
	}, ":")))
}

func sum(s string) []byte {
	b := md5.Sum([]byte(s))
	return b[:]
}
